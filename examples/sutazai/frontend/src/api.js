/** Talks to the backend. `fetch` is given, so that a test may bring its own. */
export class Api {
  #fetch;

  constructor(fetch) {
    this.#fetch = fetch;
  }

  /** The newest tasks. */
  tasks(limit = 50) {
    return this.#json(`tasks?limit=${encodeURIComponent(limit)}`);
  }

  /** Submit a task; answers it as the backend wrote it down. */
  submit(title) {
    return this.#json("tasks", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ title }),
    });
  }

  async #json(path, options) {
    const response = await this.#fetch(path, options);
    if (!response.ok) {
      throw new Error(`${path.split("?")[0]} answered ${response.status}`);
    }
    return response.json();
  }
}
