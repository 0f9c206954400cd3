const LABELS = { queued: "waiting", running: "in work", done: "done" };

/** One line of text for a task. */
export function describe(task) {
  const label = LABELS[task.status] ?? task.status;
  const result = task.result ? `: ${task.result}` : "";
  return `#${task.id} ${task.title} (${label}${result})`;
}

/** How many tasks there are of each status. */
export function count(tasks) {
  const counts = { queued: 0, running: 0, done: 0 };
  for (const { status } of tasks) {
    counts[status] += 1;
  }
  return counts;
}

/** Replace the items of a list by the tasks; text stays text. */
export function show(list, tasks) {
  const items = tasks.map((task) => {
    const item = list.ownerDocument.createElement("li");
    item.textContent = describe(task);
    return item;
  });
  list.replaceChildren(...items);
}
