import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { counters, gauges, type MetricsSource, type Row } from './metric-rows.ts';
import { version } from './version.ts';

/** Upper bounds of what is counted together, in seconds. */
const requestBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** From a fast flash disk to one that costs a leader its office. */
const syncBuckets = [0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1, 2];

/** One node's metrics, and Vault's names for those that dashboards know. Labels hold no path, name or secret: only closed sets. */
export class Metrics {
  readonly registry: Registry = new Registry();
  readonly #requests: Counter<'operation' | 'door' | 'code'>;
  readonly #duration: Histogram<'operation'>;
  readonly #syncs: Histogram;
  #underWay = 0;
  #answered = 0;
  #answeredMs = 0;

  constructor() {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    this.#requests = new Counter({
      name: 'lockstep_requests_total',
      help: 'Requests answered, by door, operation and outcome (ok, or the code of the error)',
      labelNames: ['operation', 'door', 'code'],
      registers,
    });
    this.#duration = new Histogram({
      name: 'lockstep_request_seconds',
      help: 'Time from the door to the reply',
      labelNames: ['operation'],
      buckets: requestBuckets,
      registers,
    });
    this.#syncs = new Histogram({
      name: 'lockstep_log_sync_seconds',
      help: "How long each synced write of the log took: the disk's share of a commit",
      buckets: syncBuckets,
      registers,
    });
    const build = new Gauge({
      name: 'lockstep_build_info',
      help: 'Always 1; the label names the version that runs',
      labelNames: ['version'],
      registers,
    });
    build.set({ version }, 1);
    this.#count([
      ['vault_core_handle_request_count', 'Requests answered', () => this.#answered],
      ['vault_core_handle_request_sum', 'Milliseconds that they took together', () => this.#answeredMs],
    ]);
    this.#gauge([
      ['lockstep_requests_under_way', 'Requests between their door and their reply', () => this.#underWay],
      ['vault_core_in_flight_requests', 'As lockstep_requests_under_way', () => this.#underWay],
    ]);
  }

  /** Once the parts are there that it tells of. */
  watch(source: MetricsSource): void {
    this.#count(counters(source));
    this.#gauge(gauges(source));
  }

  requestBegan(): void {
    this.#underWay += 1;
  }

  requestEnded(): void {
    this.#underWay -= 1;
  }

  requestAnswered(request: {
    readonly operation: string;
    readonly door: string;
    readonly code: string;
    readonly seconds: number;
  }): void {
    this.#answered += 1;
    this.#answeredMs += request.seconds * 1000;
    this.#requests.inc({ operation: request.operation, door: request.door, code: request.code });
    this.#duration.observe({ operation: request.operation }, request.seconds);
  }

  /** Refused at the door: there is no time to tell of. */
  requestRefused(request: { readonly operation: string; readonly door: string; readonly code: string }): void {
    this.#requests.inc({ operation: request.operation, door: request.door, code: request.code });
  }

  logSynced(ms: number): void {
    this.#syncs.observe(ms / 1000);
  }

  #count(rows: readonly Row[]): void {
    for (const [name, help, value] of rows) {
      const counter: Counter = new Counter({
        name,
        help,
        registers: [this.registry],
        collect: () => {
          counter.reset();
          counter.inc(value());
        },
      });
    }
  }

  #gauge(rows: readonly Row[]): void {
    for (const [name, help, value] of rows) {
      const gauge: Gauge = new Gauge({ name, help, registers: [this.registry], collect: () => gauge.set(value()) });
    }
  }
}
