import type { FrameReader } from './frame-reader.ts';
import type { FrameWriter } from './frame-writer.ts';
import { decodeRoster, encodeRoster } from '../raft/roster-codec.ts';
import { readReport, writeReport } from './node-report.ts';
import type { PeerMessage } from './peers.ts';
import { readSnapshotMeta, writeSnapshotMeta } from './snapshot-meta-codec.ts';

/*
 * What nodes tell each other about their disks and states:
 *
 *   message := 48 from:u53 report                       as in node-report.ts
 *           |  49 from:u53 term:u53 floor:u53           rolled-back
 *           |  50 from:u53 minIndex:u53                 state-ask
 *           |  51 from:u53 (0 | 1 meta | 2 meta roster) state-offer
 *           |  52 from:u53 bytes                       roster, as in raft/roster-codec.ts
 */

export type CareMessage = Extract<
  PeerMessage,
  { kind: 'report' | 'rolled-back' | 'state-ask' | 'state-offer' | 'roster' }
>;

const kinds = { report: 48, 'rolled-back': 49, 'state-ask': 50, 'state-offer': 51, roster: 52 } as const;
const offers = ['none', 'snapshot', 'with-roster'] as const;

export function writeCareMessage(writer: FrameWriter, message: CareMessage): void {
  writer.u8(kinds[message.kind]);
  writer.u53('from', message.from);
  switch (message.kind) {
    case 'report':
      writeReport(writer, message.report);
      return;
    case 'rolled-back':
      writer.u53('term', message.term);
      writer.u53('floor', message.floor);
      return;
    case 'state-ask':
      writer.u53('least index', message.minIndex);
      return;
    case 'state-offer':
      writeOffer(writer, message);
      return;
    case 'roster':
      writer.blob(encodeRoster(message.roster));
      return;
    default:
      message satisfies never;
  }
}

/** Undefined where `kind` is none of these. */
export function readCareMessage(reader: FrameReader, kind: number): CareMessage | undefined {
  switch (kind) {
    case kinds.report:
      return { kind: 'report', from: reader.node('from'), report: readReport(reader) };
    case kinds['rolled-back']:
      return { kind: 'rolled-back', from: reader.node('from'), term: reader.u53('term'), floor: reader.u53('floor') };
    case kinds['state-ask']:
      return { kind: 'state-ask', from: reader.node('from'), minIndex: reader.index('least index') };
    case kinds['state-offer']:
      return { kind: 'state-offer', from: reader.node('from'), meta: readOffer(reader) };
    case kinds.roster:
      return { kind: 'roster', from: reader.node('from'), roster: decodeRoster(reader.blob('roster')) };
    default:
      return undefined;
  }
}

function writeOffer(writer: FrameWriter, { meta }: Extract<CareMessage, { kind: 'state-offer' }>): void {
  const offer = meta === undefined ? 'none' : meta.membership.roster === undefined ? 'snapshot' : 'with-roster';
  writer.u8(offers.indexOf(offer));
  if (meta !== undefined) writeSnapshotMeta(writer, meta);
}

function readOffer(reader: FrameReader): Extract<CareMessage, { kind: 'state-offer' }>['meta'] {
  const offer = reader.oneOf('offer', offers, 0);
  return offer === 'none' ? undefined : readSnapshotMeta(reader, offer === 'with-roster');
}
