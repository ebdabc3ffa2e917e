import { driverMutants } from './driver.ts';
import { electionMutants } from './elections.ts';
import { logMutants } from './log.ts';
import { membershipMutants } from './membership.ts';
import type { Mutant } from './mutant.ts';
import { readMutants } from './reads.ts';
import { replicationMutants } from './replication.ts';

export const mutants: readonly Mutant[] = [
  ...replicationMutants,
  ...electionMutants,
  ...logMutants,
  ...readMutants,
  ...membershipMutants,
  ...driverMutants,
];
