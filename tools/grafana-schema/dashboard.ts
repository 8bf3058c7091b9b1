// A dashboard as Grafana's published types have it, with the places closed that these leave open: a panel's options and custom
// fields by its type, its targets by the data source. The names below are given to one release's files in record.mjs.

import type * as dashboard from 'published/dashboard';
import type * as heatmap from 'published/heatmap';
import type { PrometheusDataQuery } from 'published/prometheus';
import type * as stat from 'published/stat';
import type * as table from 'published/table';
import type * as timeseries from 'published/timeseries';

type None = Record<string, never>;

interface FieldOf<C> extends Omit<dashboard.FieldConfig, 'custom'> {
  custom?: C;
}

interface FieldsOf<C> extends Omit<dashboard.FieldConfigSource, 'defaults'> {
  defaults: FieldOf<C>;
}

interface PanelOf<T extends string, O, C> extends Omit<dashboard.Panel, 'type' | 'options' | 'fieldConfig' | 'targets'> {
  type: T;
  options: O;
  fieldConfig: FieldsOf<C>;
  targets: PrometheusDataQuery[];
}

type Graph = PanelOf<'timeseries', timeseries.Options, timeseries.FieldConfig>;
type Stat = PanelOf<'stat', stat.Options, None>;
type Table = PanelOf<'table', table.Options, table.FieldConfig>;
type Heatmap = PanelOf<'heatmap', heatmap.Options, heatmap.FieldConfig>;

/** @discriminator type */
type Content = Graph | Stat | Table | Heatmap;

interface Row extends Omit<dashboard.RowPanel, 'panels'> {
  panels: Content[];
}

/** @discriminator type */
type Panel = Row | Graph | Stat | Table | Heatmap;

export interface Dashboard extends Omit<dashboard.Dashboard, 'panels'> {
  panels: Panel[];
}
