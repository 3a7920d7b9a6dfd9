/** Fills Grafana's registries with what its server fills in: field properties and transformations. */
import {
  FieldConfigOptionsRegistry,
  standardTransformers,
  standardTransformersRegistry,
  type DataTransformerInfo,
  type FieldConfigPropertyItem,
} from '@grafana/data';

import { DEFAULTS, STANDARD_PROPERTIES } from './defaults';

export const TRANSFORMERS: Record<string, DataTransformerInfo> = Object.fromEntries(
  Object.values(standardTransformers).map((one) => [one.id, one as DataTransformerInfo])
);

export function fillTransformers(): void {
  standardTransformersRegistry.setInit(() =>
    Object.values(TRANSFORMERS).map((one) => ({
      id: one.id,
      name: one.name,
      description: one.description,
      transformation: async () => one,
      editor: () => null,
      imageDark: '',
      imageLight: '',
    }))
  );
}

function property(path: string, id: string, isCustom: boolean): FieldConfigPropertyItem {
  return {
    id,
    path,
    isCustom,
    name: id,
    editor: () => null,
    override: () => null,
    process: (value: unknown) => value,
    shouldApply: () => true,
  } as unknown as FieldConfigPropertyItem;
}

/** The properties that fields of a type of panel have. */
export function fieldProperties(type: string): FieldConfigOptionsRegistry {
  const registry = new FieldConfigOptionsRegistry();
  registry.setInit(() => [
    ...STANDARD_PROPERTIES.map((name) => property(name, name, false)),
    ...Object.keys(DEFAULTS[type].custom).map((name) => property(name, `custom.${name}`, true)),
  ]);
  return registry;
}
