/** What Grafana fills in where a panel's JSON says nothing: the server's own code holds it, no package does. */
import { FieldColorModeId, ThresholdsMode } from '@grafana/data';

const THRESHOLDS = {
  mode: ThresholdsMode.Absolute,
  steps: [
    { value: -Infinity, color: 'green' },
    { value: 80, color: 'red' },
  ],
};

interface Defaults {
  standard: Record<string, any>;
  custom: Record<string, any>;
  options: Record<string, any>;
}

const coloured = (mode: FieldColorModeId) => ({ color: { mode }, thresholds: THRESHOLDS, mappings: [] });

export const DEFAULTS: Record<string, Defaults> = {
  timeseries: {
    standard: coloured(FieldColorModeId.PaletteClassic),
    custom: {
      drawStyle: 'line',
      lineInterpolation: 'linear',
      lineWidth: 1,
      fillOpacity: 0,
      gradientMode: 'none',
      spanNulls: false,
      showPoints: 'auto',
      pointSize: 5,
      stacking: { mode: 'none', group: 'A' },
      axisPlacement: 'auto',
      axisLabel: '',
      axisColorMode: 'text',
      axisBorderShow: false,
      axisCenteredZero: false,
      axisSoftMin: undefined,
      axisSoftMax: undefined,
      scaleDistribution: { type: 'linear' },
      hideFrom: { tooltip: false, viz: false, legend: false },
      thresholdsStyle: { mode: 'off' },
    },
    options: {
      legend: { displayMode: 'list', placement: 'bottom', showLegend: true, calcs: [] },
      tooltip: { mode: 'single', sort: 'none' },
    },
  },
  stat: {
    standard: coloured(FieldColorModeId.Thresholds),
    custom: {},
    options: {
      reduceOptions: { values: false, calcs: ['lastNotNull'], fields: '' },
      orientation: 'auto',
      textMode: 'auto',
      wideLayout: true,
      colorMode: 'value',
      graphMode: 'area',
      justifyMode: 'auto',
    },
  },
  table: {
    standard: coloured(FieldColorModeId.Thresholds),
    custom: {
      align: 'auto',
      width: undefined,
      minWidth: undefined,
      inspect: false,
      hidden: false,
      filterable: false,
      wrapText: false,
      cellOptions: { type: 'auto' },
    },
    options: { showHeader: true, cellHeight: 'sm', sortBy: [] },
  },
};

/** Fields of a field configuration that are the same for all types of panels. */
export const STANDARD_PROPERTIES = [
  'unit',
  'min',
  'max',
  'decimals',
  'displayName',
  'noValue',
  'color',
  'thresholds',
  'mappings',
];
