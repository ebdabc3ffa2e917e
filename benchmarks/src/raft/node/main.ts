// One node of `npm run bench -- raft`.
import { readFileSync } from 'node:fs';
import { answerParent } from '../answering.ts';
import type { NodePlan } from '../raft-cluster.ts';
import { BenchNode } from './bench-node.ts';

const plan: NodePlan = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8'));
const node = await BenchNode.open(plan);
answerParent((question) => node.answer(question));
