// Records what Grafana's published types say of a dashboard as JSON Schemas, one for each release below, for the test of
// internal/dashboards. `make record-dashboards` runs it in a copy of this folder where package-lock.json has been installed.

import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createGenerator } from 'ts-json-schema-generator';

const here = dirname(fileURLToPath(import.meta.url));
const [, , out] = process.argv;

// The oldest release that the dashboards are for, and a current one. What Prometheus' queries have is from the last minor release
// whose package had it.
const releases = ['grafana-12', 'grafana-13'];
const queries = 'grafana-prometheus';

for (const release of releases) {
  const dashboard = join(here, 'dashboard.ts');
  const tsconfig = join(here, `tsconfig.${release}.json`);
  writeFileSync(tsconfig, JSON.stringify({
    compilerOptions: { strict: true, skipLibCheck: true, noEmit: true, module: 'esnext', moduleResolution: 'bundler', types: [], paths: paths(release) },
    files: [dashboard],
  }));
  // Nothing is named in it: each panel has types of the same names, Options and FieldConfig.
  const schema = createGenerator({ path: dashboard, tsconfig, type: 'Dashboard', expose: 'none', topRef: false, jsDoc: 'extended' }).createSchema('Dashboard');
  const [types, query] = [release, queries].map(about);
  const $comment = `Made by make record-dashboards from the types in @grafana/schema ${types.version} (${types.license}) and, for Prometheus' ` +
    `queries, ${query.version} (${query.license}). Not to be edited: see tools/grafana-schema.`;
  writeFileSync(join(out, `${release}.schema.json`), lines({ $comment, ...shared(silent(schema)) }) + '\n');
}

function about(release) {
  return JSON.parse(readFileSync(join(here, 'node_modules', release, 'package.json'), 'utf8'));
}

// paths are where the imports of dashboard.ts, and of the types themselves, are found.
function paths(release) {
  const entry = about(release).exports['.'];
  const index = (entry.types ?? entry.import.types).replace('.d.mts', '.d.ts');
  return {
    '@grafana/schema': [join(here, 'node_modules', release, index)],
    'published/dashboard': [published(release, 'dashboard')],
    'published/prometheus': [published(queries, 'composable/prometheus/dataquery')],
    ...Object.fromEntries(['timeseries', 'stat', 'table', 'heatmap'].map((panel) =>
      [`published/${panel}`, [published(release, `composable/${panel}/panelcfg`)]])),
  };
}

// published is the file with the types of one subject. Its folder and its name differ between releases.
function published(release, subject) {
  for (const root of ['types', 'esm']) {
    const folder = join(here, 'node_modules', release, 'dist', root, 'raw', subject, 'x');
    const file = existsSync(folder) && readdirSync(folder).find((f) => f.endsWith('types.gen.d.ts'));
    if (file) return join(folder, file);
  }
  throw new Error(`${release} has no types of ${subject}`);
}

// silent leaves the prose out, which is not a fact. A property can have the same name: what is in it is no text.
function silent(value) {
  if (Array.isArray(value)) return value.map(silent);
  if (typeof value !== 'object' || value === null) return value;
  const prose = (k, v) => ['description', 'deprecated', 'default'].includes(k) && typeof v !== 'object';
  return Object.fromEntries(Object.entries(value).filter(([k, v]) => !prose(k, v)).map(([k, v]) => [k, silent(v)]));
}

// shared says once, among the definitions, what the types say in several places. A definition has the name of the property that it
// was found in first.
function shared(schema) {
  const counts = new Map();
  const count = (value) => {
    if (typeof value !== 'object' || value === null) return;
    const text = JSON.stringify(value);
    counts.set(text, (counts.get(text) ?? 0) + 1);
    Object.values(value).forEach(count);
  };
  count(schema);

  const names = new Map();
  const definitions = {};
  const words = ['items', 'properties', 'anyOf', 'allOf', 'then', 'additionalProperties'];
  const refer = (value, property) => {
    if (typeof value !== 'object' || value === null) return value;
    const text = JSON.stringify(value);
    if (!names.has(text)) {
      const less = Array.isArray(value) ? value.map((v) => refer(v, property))
        : Object.fromEntries(Object.entries(value).map(([k, v]) => [k, refer(v, words.includes(k) ? property : k)]));
      if (!isSchema(value) || counts.get(text) === 1 || text.length < 100) return less;
      let name = property;
      for (let i = 2; name in definitions; i++) name = property + i;
      names.set(text, name);
      definitions[name] = less;
    }
    return { $ref: `#/definitions/${names.get(text)}` };
  };
  return { ...refer(schema), definitions };
}

// isSchema, and not a list of properties: one of those can be called type, but is a schema itself.
function isSchema(value) {
  return typeof value.type === 'string' || Array.isArray(value.type) || Array.isArray(value.anyOf);
}

// lines are JSON, and what is short is on one of them.
function lines(value, indent = '') {
  const text = JSON.stringify(value, null, 1).replace(/\n\s*/g, ' ');
  if (typeof value !== 'object' || value === null || indent.length + text.length < 120) return text;
  const [open, close] = Array.isArray(value) ? '[]' : '{}';
  const label = (k) => (Array.isArray(value) ? '' : JSON.stringify(k) + ': ');
  const items = Object.entries(value).map(([k, v]) => `${indent} ${label(k)}${lines(v, indent + ' ')}`);
  return `${open}\n${items.join(',\n')}\n${indent}${close}`;
}
