/** The parts of a dashboard's JSON that this page draws; what is not listed is refused by `unsupported.ts`. */
import type { DataTransformerConfig, FieldConfigSource } from '@grafana/data';

export interface Target {
  expr: string;
  refId: string;
  legendFormat: string;
  instant?: boolean;
  format?: 'table' | 'time_series';
}

export interface Panel {
  id: number;
  type: string;
  title: string;
  description?: string;
  gridPos: { x: number; y: number; w: number; h: number };
  targets: Target[];
  fieldConfig: FieldConfigSource;
  options: Record<string, any>;
  transformations?: DataTransformerConfig[];
}

export interface Dashboard {
  title: string;
  panels: Panel[];
  templating: { list: Array<{ name: string; type: string; query: string }> };
}

/** What the script that opens this page puts into its window. */
export interface Shown {
  dashboard: Dashboard;
  prometheus: string;
  /** The end of the time range, in seconds since 1970. */
  until: number;
  minutes: number;
}
