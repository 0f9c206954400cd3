import assert from "node:assert/strict";
import { test } from "node:test";

import { count, describe, show } from "../src/board.js";

const task = (changes) => ({ id: 1, title: "sweep", status: "queued", result: null, ...changes });

test("a task is one line, with its result when there is one", () => {
  assert.equal(describe(task()), "#1 sweep (waiting)");
  assert.equal(describe(task({ status: "done", result: "clean" })), "#1 sweep (done: clean)");
});

test("tasks are counted by status", () => {
  assert.deepEqual(count([task(), task(), task({ status: "done" })]), {
    queued: 2,
    running: 0,
    done: 1,
  });
});

test("markup in a title stays text", () => {
  const list = {
    ownerDocument: { createElement: (name) => ({ name }) },
    replaceChildren(...items) {
      this.items = items;
    },
  };
  show(list, [task({ title: "<img onerror=x>" })]);
  assert.deepEqual(list.items, [{ name: "li", textContent: "#1 <img onerror=x> (waiting)" }]);
});
