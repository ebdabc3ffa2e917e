import type { Json, JsonObject } from '@lockstep/contract/json';
import type { Registry } from 'prom-client';

type Metric = Awaited<ReturnType<Registry['getMetricsAsJSON']>>[number];

/** A registry as Vault's `sys/metrics` has it without a format: gauges, counters, and histograms as samples. */
export async function metricsJson(registry: Registry, wallMs: number): Promise<JsonObject> {
  const metrics = await registry.getMetricsAsJSON();
  return {
    Timestamp: `${new Date(wallMs).toISOString().slice(0, 19).replace('T', ' ')} +0000 UTC`,
    Gauges: of(metrics, 'gauge').flatMap(gaugeRows),
    Points: [],
    Counters: of(metrics, 'counter').flatMap(counterRows),
    Samples: of(metrics, 'histogram').flatMap(sampleRows),
  };
}

/** prom-client declares the type an enum and gives it as text. */
function of(metrics: readonly Metric[], type: string): readonly Metric[] {
  return metrics.filter((metric) => String(metric.type) === type);
}

function gaugeRows({ name, values }: Metric): readonly Json[] {
  // JSON knows no NaN: what this node can't tell is left out.
  return values
    .filter(({ value }) => Number.isFinite(value))
    .map(({ value, labels }) => ({ Name: name, Value: value, Labels: textLabels(labels) }));
}

function counterRows({ name, values }: Metric): readonly Json[] {
  return values.map(({ value, labels }) => ({ Name: name, Count: value, Sum: value, Labels: textLabels(labels) }));
}

/** One for each set of labels, of the values that a histogram gives for its buckets, sum and count. */
function sampleRows({ name, values }: Metric): readonly Json[] {
  const samples = new Map<string, { sum: number; count: number; labels: JsonObject }>();
  for (const value of values) {
    const metricName = 'metricName' in value ? value.metricName : '';
    if (metricName !== `${name}_sum` && metricName !== `${name}_count`) continue;
    const labels = textLabels(value.labels);
    const key = JSON.stringify(labels);
    const sample = samples.get(key) ?? { sum: 0, count: 0, labels };
    samples.set(key, sample);
    if (metricName === `${name}_sum`) sample.sum = value.value;
    else sample.count = value.value;
  }
  return [...samples.values()].map(({ sum, count, labels }) => ({
    Name: name,
    Count: count,
    Sum: sum,
    Mean: count === 0 ? 0 : sum / count,
    Labels: labels,
  }));
}

function textLabels(labels: Metric['values'][number]['labels']): JsonObject {
  return Object.fromEntries(Object.entries(labels).map(([name, value]) => [name, String(value)]));
}
