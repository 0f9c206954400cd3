import js from "@eslint/js";

const browser = { document: "readonly", fetch: "readonly", FormData: "readonly" };

export default [
  js.configs.recommended,
  { files: ["src/**/*.js"], languageOptions: { globals: browser } },
  { rules: { eqeqeq: "error", "no-var": "error", "prefer-const": "error" } },
];
