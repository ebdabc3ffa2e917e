/** Something that must never happen did. `rule` names the invariant. */
export class Violation extends Error {
  readonly rule: string;

  constructor(rule: string, message: string) {
    super(message);
    this.name = 'Violation';
    this.rule = rule;
  }
}

/** `message` is made only when the claim fails: most claims are checked after every event. */
export function insist(rule: string, claim: boolean, message: () => string): void {
  if (!claim) throw new Violation(rule, message());
}
