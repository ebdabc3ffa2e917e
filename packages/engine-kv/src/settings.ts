import { goDuration } from '@lockstep/contract/duration';
import { type Call, type Decision, unchanged } from '@lockstep/contract/engine';
import { booleanField, durationField, type FieldSpec, integerField } from '@lockstep/contract/fields';
import type { KvFact } from './facts.ts';
import { configKey } from './keys.ts';
import { versionsKeptMax } from './limits.ts';
import { readKvConfig } from './records.ts';

/** Of a mount and of a secret alike; what isn't given stays. */
export const settingFields: {
  readonly max_versions: FieldSpec<number | undefined>;
  readonly cas_required: FieldSpec<boolean | undefined>;
  readonly delete_version_after: FieldSpec<number | undefined>;
} = {
  max_versions: integerField({ description: 'Versions kept; 0 is the default', max: versionsKeptMax }),
  cas_required: booleanField({ description: 'Every write must say which version it replaces' }),
  delete_version_after: durationField({ description: 'Each version is deleted after this time; 0 is never' }),
};

export interface GivenSettings {
  readonly max_versions: number | undefined;
  readonly cas_required: boolean | undefined;
  readonly delete_version_after: number | undefined;
}

export function readMountSettings(call: Call): Decision<KvFact> {
  const config = readKvConfig(call.state);
  return {
    reply: {
      data: {
        cas_required: config.isCasRequired,
        delete_version_after: goDuration(config.deleteVersionAfterSeconds),
        max_versions: config.maxVersions,
      },
    },
  };
}

export function writeMountSettings(call: Call, given: GivenSettings): Decision<KvFact> {
  const before = readKvConfig(call.state);
  return {
    facts: [
      {
        type: 'configWritten',
        maxVersions: given.max_versions ?? before.maxVersions,
        isCasRequired: given.cas_required ?? before.isCasRequired,
        deleteVersionAfterSeconds: given.delete_version_after ?? before.deleteVersionAfterSeconds,
      },
    ],
    expects: [unchanged(call.state, configKey)],
    reply: {},
  };
}
