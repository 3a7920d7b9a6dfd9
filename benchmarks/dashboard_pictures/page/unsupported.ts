/** Says what of a panel this page does not draw: it is shown as an error, never left out. */
import { fieldMatchers } from '@grafana/data';

import type { Dashboard, Panel } from './dashboard';
import { DEFAULTS, STANDARD_PROPERTIES } from './defaults';
import { TRANSFORMERS } from './registries';

const PANEL_KEYS = [
  'id',
  'type',
  'title',
  'description',
  'gridPos',
  'datasource',
  'targets',
  'fieldConfig',
  'options',
  'transformations',
];
const TARGET_KEYS = ['datasource', 'expr', 'refId', 'legendFormat', 'instant', 'format'];

function others(object: object | undefined, known: string[], where: string): string[] {
  return Object.keys(object ?? {})
    .filter((key) => !known.includes(key))
    .map((key) => `${where}.${key} is not drawn`);
}

function withVariable(text: unknown): string[] {
  return /\$\{?\w/.test(JSON.stringify(text) ?? '') ? [`a variable in ${JSON.stringify(text)} is not filled in`] : [];
}

export function unsupported(panel: Panel): string[] {
  const defaults = DEFAULTS[panel.type];
  if (!defaults) {
    return [`panels of type ${panel.type} are not drawn`];
  }
  const custom = Object.keys(defaults.custom);
  const properties = [...STANDARD_PROPERTIES, ...custom.map((name) => `custom.${name}`)];
  const { custom: ownCustom, ...standard } = panel.fieldConfig.defaults;
  return [
    ...others(panel, PANEL_KEYS, 'panel'),
    ...others(panel.options, Object.keys(defaults.options), 'options'),
    ...others(standard, STANDARD_PROPERTIES, 'defaults'),
    ...others(ownCustom, custom, 'defaults.custom'),
    ...panel.fieldConfig.overrides.flatMap((rule) => [
      ...(fieldMatchers.getIfExists(rule.matcher.id) ? [] : [`no fields are found by ${rule.matcher.id}`]),
      ...rule.properties
        .map((property) => property.id)
        .filter((id) => !properties.includes(id) && !custom.some((name) => id.startsWith(`custom.${name}.`)))
        .map((id) => `overrides of ${id} are not drawn`),
    ]),
    ...(panel.transformations ?? [])
      .filter((one) => !(one.id in TRANSFORMERS))
      .map((one) => `the transformation ${one.id} is not known`),
    ...panel.targets.flatMap((target) => [...others(target, TARGET_KEYS, 'target'), ...withVariable(target.expr)]),
    ...withVariable(panel.title),
    ...withVariable(panel.fieldConfig),
    ...withVariable(panel.transformations),
  ];
}

/** Variables beyond that of the data source, which is the Prometheus that the script names. */
export function unsupportedVariables(dashboard: Dashboard): string[] {
  return dashboard.templating.list
    .filter((one) => one.type !== 'datasource' || one.query !== 'prometheus')
    .map((one) => `the variable ${one.name} of type ${one.type} is not filled in`);
}
