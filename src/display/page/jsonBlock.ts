import { replaceForbidden } from "../xmlText.ts";

/** Data that the page's script reads. Inside a script element only "<" can end it or start a comment. */
export function jsonBlock(id: string, data: unknown): string {
  const json = JSON.stringify(data, (_, value: unknown) =>
    typeof value === "string" ? replaceForbidden(value) : value,
  );
  return `<script type="application/json" id="${id}">${json.replace(/</g, "\\u003c")}</script>`;
}
