/** A page with all panels of a dashboard, in the grid that its JSON says. */
import {
  applyFieldOverrides,
  cacheFieldDisplayNames,
  createTheme,
  dateTime,
  transformDataFrame,
  type DataFrame,
  type TimeRange,
} from '@grafana/data';
import { initPluginTranslations } from '@grafana/i18n';
import { GlobalStyles, PanelChrome, ThemeContext } from '@grafana/ui';
import { defaultsDeep } from 'lodash';
import { Component, useEffect, useState, type ReactNode } from 'react';
import { createRoot } from 'react-dom/client';
import { lastValueFrom } from 'rxjs';
import 'uplot/dist/uPlot.min.css';

import type { Panel, Shown } from './dashboard';
import { DEFAULTS } from './defaults';
import { framesOf } from './frames';
import { DRAWN } from './panels';
import { fieldProperties, fillTransformers } from './registries';
import { unsupported, unsupportedVariables } from './unsupported';

const COLUMNS = 24;
const ROW_HEIGHT = 30;
const GAP = 8;
const MARGIN = 16;

declare global {
  interface Window {
    shown: Shown;
    /** Panels that are drawn, or show an error. */
    finished: number;
    problems: string[];
    __grafana_public_path__: string;
  }
}

const theme = createTheme({ colors: { mode: 'light' } });

function tell(panel: Panel, text: string): string {
  const line = `${panel.title}: ${text}`;
  if (!window.problems.includes(line)) {
    window.problems.push(line);
  }
  return text;
}

function Problem({ texts }: { texts: string[] }) {
  return <div style={{ color: theme.colors.error.text, padding: 8, overflow: 'auto' }}>{texts.join('; ')}</div>;
}

/** Shows an error of a component instead of an empty page. */
class Guard extends Component<{ panel: Panel; children: ReactNode }, { error?: Error }> {
  state: { error?: Error } = {};
  static getDerivedStateFromError(error: Error) {
    return { error };
  }
  render() {
    const { error } = this.state;
    return error ? <Problem texts={[tell(this.props.panel, error.message)]} /> : this.props.children;
  }
}

async function dataOf(panel: Panel, range: TimeRange, width: number): Promise<DataFrame[]> {
  const defaults = DEFAULTS[panel.type];
  const found = await framesOf(panel, window.shown.prometheus, range, width);
  const frames = await lastValueFrom(transformDataFrame(panel.transformations ?? [], found));
  const given = structuredClone(panel.fieldConfig);
  const steps = given.defaults.thresholds?.steps ?? [];
  steps.filter((step) => step.value === null).forEach((step) => (step.value = -Infinity));
  const all = { ...defaults.standard, ...given.defaults, custom: defaultsDeep(given.defaults.custom, defaults.custom) };
  const shown = applyFieldOverrides({
    data: frames,
    fieldConfig: { defaults: all, overrides: given.overrides },
    fieldConfigRegistry: fieldProperties(panel.type),
    replaceVariables: (text) => text,
    theme,
    timeZone: 'utc',
  });
  cacheFieldDisplayNames(shown);
  return shown;
}

function Drawn({ panel, range, unit }: { panel: Panel; range: TimeRange; unit: number }) {
  const { x, y, w, h } = panel.gridPos;
  const [width, height] = [w * unit + (w - 1) * GAP, h * ROW_HEIGHT + (h - 1) * GAP];
  const [frames, setFrames] = useState<DataFrame[]>();
  const [refused, setRefused] = useState<string[]>(unsupported(panel));
  useEffect(() => {
    if (refused.length === 0) {
      dataOf(panel, range, width).then(setFrames, (error) => setRefused([String(error)]));
    }
  }, []);
  useEffect(() => {
    refused.forEach((text) => tell(panel, text));
    window.finished += frames || refused.length ? 1 : 0;
  }, [frames, refused]);
  const options = defaultsDeep({}, panel.options, DEFAULTS[panel.type]?.options);
  const Content = DRAWN[panel.type];
  const empty = !frames?.some((frame) => frame.length > 0);
  const place = { position: 'absolute', left: x * (unit + GAP), top: y * (ROW_HEIGHT + GAP) } as const;
  return (
    <div style={place} data-row={y}>
      <PanelChrome title={panel.title} description={panel.description} width={width} height={height}>
        {(wide, high) =>
          refused.length ? (
            <Problem texts={refused} />
          ) : !frames ? null : empty ? (
            <div className="no-data">{panel.fieldConfig.defaults.noValue ?? 'No data'}</div>
          ) : (
            <Guard panel={panel}>
              <Content {...{ panel, frames, range, theme, options }} width={wide} height={high} />
            </Guard>
          )
        }
      </PanelChrome>
    </div>
  );
}

function Page({ shown }: { shown: Shown }) {
  const [range] = useState<TimeRange>(() => {
    const to = dateTime(shown.until * 1000);
    const from = dateTime(to).subtract(shown.minutes, 'minutes');
    return { from, to, raw: { from, to } };
  });
  const unit = (window.innerWidth - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS;
  const rows = Math.max(...shown.dashboard.panels.map(({ gridPos }) => gridPos.y + gridPos.h));
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      <div style={{ background: theme.colors.background.canvas, padding: MARGIN }}>
        <div style={{ display: 'flex', justifyContent: 'space-between', marginBottom: GAP }}>
          <strong>{shown.dashboard.title}</strong>
          <span>Last {shown.minutes} minutes</span>
        </div>
        <Problem texts={unsupportedVariables(shown.dashboard)} />
        <div style={{ position: 'relative', height: rows * (ROW_HEIGHT + GAP) }}>
          {shown.dashboard.panels.map((panel) => (
            <Drawn key={panel.id} panel={panel} range={range} unit={unit} />
          ))}
        </div>
      </div>
    </ThemeContext.Provider>
  );
}

window.finished = 0;
window.problems = unsupportedVariables(window.shown.dashboard);
window.__grafana_public_path__ = '/public/';
fillTransformers();
initPluginTranslations('dashboard').finally(() =>
  createRoot(document.getElementById('page')!).render(<Page shown={window.shown} />)
);
