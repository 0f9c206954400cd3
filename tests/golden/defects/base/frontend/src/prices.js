/** A price as people read it. */
export function shown(cents) {
  return (cents / 100).toFixed(2);
}
