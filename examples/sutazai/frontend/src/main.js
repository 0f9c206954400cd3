import { Api } from "./api.js";
import { count, show } from "./board.js";

const api = new Api((path, options) => fetch(path, options));
const form = document.querySelector("#new-task");
const list = document.querySelector("#tasks");
const message = document.querySelector("#message");

async function refresh() {
  const tasks = await api.tasks();
  show(list, tasks);
  message.textContent = `${count(tasks).queued} waiting`;
}

async function guarded(action) {
  try {
    await action();
  } catch (error) {
    message.textContent = error.message;
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  guarded(async () => {
    await api.submit(new FormData(form).get("title"));
    form.reset();
    await refresh();
  });
});

guarded(refresh);
