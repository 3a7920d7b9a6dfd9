/** Asks Prometheus and makes data frames of its answers, in the forms that Grafana's data source gives. */
import {
  FieldType,
  renderLegendFormat,
  type DataFrame,
  type Field,
  type Labels,
  type TimeRange,
} from '@grafana/data';

import type { Panel, Target } from './dashboard';

/** The shortest step that Grafana asks for, if nothing else is set. */
const LEAST_STEP_SECONDS = 15;

interface Series {
  metric: Labels;
  value?: [number, string];
  values?: Array<[number, string]>;
}

async function asked(prometheus: string, path: string, parameters: Record<string, string>): Promise<Series[]> {
  const answer = await fetch(`${prometheus}/api/v1/${path}?${new URLSearchParams(parameters)}`);
  const content = await answer.json();
  if (content.status !== 'success') {
    throw new Error(`${parameters.query}: ${content.error}`);
  }
  return content.data.result;
}

const number = (text: string): number => (text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text));

function nameOf(target: Target, metric: Labels): string {
  const { __name__: name = '', ...labels } = metric;
  if (target.legendFormat) {
    return renderLegendFormat(target.legendFormat, metric);
  }
  const text = Object.entries(labels).map(([key, value]) => `${key}="${value}"`);
  return text.length ? `${name}{${text.join(', ')}}` : name || target.expr;
}

/** A frame of two fields for each series. */
function seriesFrames(target: Target, found: Series[], stepSeconds: number): DataFrame[] {
  return found.map((series) => {
    const points = series.values ?? [series.value!];
    const time: Field = {
      name: 'Time',
      type: FieldType.time,
      config: { interval: stepSeconds * 1000 },
      values: points.map(([at]) => at * 1000),
    };
    const value: Field = {
      name: 'Value',
      type: FieldType.number,
      labels: series.metric,
      config: { displayNameFromDS: nameOf(target, series.metric) },
      values: points.map(([, text]) => number(text)),
    };
    return { refId: target.refId, name: nameOf(target, series.metric), fields: [time, value], length: points.length };
  });
}

/** One frame with a column for each label. */
function tableFrame(target: Target, found: Series[], alone: boolean): DataFrame {
  const labels = [...new Set(found.flatMap((series) => Object.keys(series.metric)))].sort();
  const column = (name: string, type: FieldType, values: unknown[]): Field => ({ name, type, config: {}, values });
  return {
    refId: target.refId,
    length: found.length,
    fields: [
      column('Time', FieldType.time, found.map((series) => series.value![0] * 1000)),
      ...labels.map((label) => column(label, FieldType.string, found.map((series) => series.metric[label] ?? ''))),
      column(alone ? 'Value' : `Value #${target.refId}`, FieldType.number, found.map((one) => number(one.value![1]))),
    ],
  };
}

/** The frames of all queries of a panel as wide as so many pixels. */
export async function framesOf(panel: Panel, prometheus: string, range: TimeRange, width: number): Promise<DataFrame[]> {
  const [from, to] = [range.from.valueOf() / 1000, range.to.valueOf() / 1000];
  const step = Math.max(LEAST_STEP_SECONDS, Math.ceil((to - from) / width));
  const aligned = (at: number): string => String(Math.floor(at / step) * step);
  const frames = panel.targets.map(async (target) => {
    const query = target.expr;
    if (target.instant) {
      const found = await asked(prometheus, 'query', { query, time: String(to) });
      return target.format === 'table'
        ? [tableFrame(target, found, panel.targets.length === 1)]
        : seriesFrames(target, found, step);
    }
    if (target.format === 'table') {
      throw new Error(`target ${target.refId}: a table of a range is not drawn`);
    }
    const times = { start: aligned(from), end: aligned(to), step: String(step) };
    return seriesFrames(target, await asked(prometheus, 'query_range', { query, ...times }), step);
  });
  return (await Promise.all(frames)).flat();
}
