/** Draws the content of a panel with Grafana's components. */
import {
  getDisplayValueAlignmentFactors,
  getFieldDisplayValues,
  type DataFrame,
  type FieldDisplay,
  type GrafanaTheme2,
  type TimeRange,
} from '@grafana/data';
import { BigValue, TimeSeries, VizRepeater } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';

import type { Panel } from './dashboard';

export interface Content {
  panel: Panel;
  frames: DataFrame[];
  range: TimeRange;
  theme: GrafanaTheme2;
  options: Record<string, any>;
  width: number;
  height: number;
}

function Lines({ frames, range, options, width, height }: Content) {
  return (
    <TimeSeries
      frames={frames}
      timeRange={range}
      timeZone="utc"
      legend={options.legend}
      options={options}
      width={width}
      height={height}
    />
  );
}

function Stat({ panel, frames, theme, options, width, height }: Content) {
  const values = () =>
    getFieldDisplayValues({
      data: frames,
      fieldConfig: panel.fieldConfig,
      reduceOptions: options.reduceOptions,
      replaceVariables: (text) => text,
      sparkline: options.graphMode !== 'none',
      theme,
      timeZone: 'utc',
    });
  return (
    <VizRepeater<FieldDisplay, any>
      getValues={values}
      getAlignmentFactors={getDisplayValueAlignmentFactors}
      renderValue={({ value, alignmentFactors, count, width: wide, height: high }) => (
        <BigValue
          value={value.display}
          count={count}
          sparkline={value.sparkline}
          colorMode={options.colorMode}
          graphMode={options.graphMode}
          justifyMode={options.justifyMode}
          textMode={options.textMode}
          disableWideLayout={!options.wideLayout}
          alignmentFactors={alignmentFactors}
          width={wide}
          height={high}
          theme={theme}
        />
      )}
      width={width}
      height={height}
      source={frames}
      renderCounter={0}
      autoGrid
      orientation={options.orientation}
    />
  );
}

function Table({ panel, frames, range, options, width, height }: Content) {
  if (frames.length !== 1) {
    throw new Error(`a table of ${frames.length} frames is not drawn`);
  }
  return (
    <TableNG
      data={frames[0]}
      width={width}
      height={height}
      noHeader={!options.showHeader}
      cellHeight={options.cellHeight}
      sortBy={options.sortBy}
      fieldConfig={panel.fieldConfig}
      timeRange={range}
      enableVirtualization={false}
    />
  );
}

export const DRAWN: Record<string, (content: Content) => React.ReactElement> = {
  timeseries: Lines,
  stat: Stat,
  table: Table,
};
