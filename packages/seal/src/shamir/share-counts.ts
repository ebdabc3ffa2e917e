import { LockstepError } from '@lockstep/contract/errors';
import { sharesMax } from '../limits.ts';

/** Vault's rules, with Vault's field names. */
export function checkShareCounts({ shares, threshold }: { readonly shares: number; readonly threshold: number }): void {
  const rule = (holds: boolean, message: string): void => {
    if (!holds) throw new LockstepError('invalid-input', message);
  };
  rule(
    Number.isInteger(shares) && shares >= 1 && shares <= sharesMax,
    `secret_shares must be between 1 and ${sharesMax}, not ${shares}`,
  );
  rule(
    Number.isInteger(threshold) && threshold >= 1 && threshold <= shares,
    `secret_threshold must be between 1 and secret_shares (${shares}), not ${threshold}`,
  );
  rule(threshold > 1 || shares === 1, `secret_threshold must be greater than 1 when secret_shares is ${shares}`);
}
