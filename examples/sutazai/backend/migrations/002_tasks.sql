CREATE TABLE tasks (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    title text NOT NULL,
    status text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'running', 'done')),
    agent_id bigint REFERENCES agents (id),
    result text,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX tasks_by_status ON tasks (status, id);
