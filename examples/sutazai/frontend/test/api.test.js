import assert from "node:assert/strict";
import { test } from "node:test";

import { Api } from "../src/api.js";

const answer = (status, body) => async (path, options) => {
  answer.last = { path, options };
  return { ok: status < 400, status, json: async () => body };
};

test("tasks are asked for with a limit", async () => {
  const api = new Api(answer(200, [{ id: 1 }]));
  assert.deepEqual(await api.tasks(3), [{ id: 1 }]);
  assert.equal(answer.last.path, "tasks?limit=3");
});

test("a title is sent as JSON", async () => {
  await new Api(answer(201, {})).submit('a "quoted" title');
  const { method, body } = answer.last.options;
  assert.equal(method, "POST");
  assert.deepEqual(JSON.parse(body), { title: 'a "quoted" title' });
});

test("a refusal names what was asked and the status", async () => {
  await assert.rejects(new Api(answer(503)).tasks(), /tasks answered 503/);
});
