import type {
  DocumentByName,
  GenericDataModel,
  IndexRange,
  IndexRangeBuilder,
  Query,
  TableNamesInDataModel,
  WithoutSystemFields,
} from 'convex/server'
import type { GenericId } from 'convex/values'
import type { TenantRule, TenantRules } from './options.ts'

/** The tables that `tenants` lists. */
export type TenantTable<DataModel extends GenericDataModel, Rules extends TenantRules<DataModel>> = keyof Rules &
  TableNamesInDataModel<DataModel>

type TenantField<Rule> =
  Rule extends TenantRule<string, infer Field>
    ? Rule extends { readonly field: infer Own extends Field }
      ? Own
      : never
    : never

type WorkspaceField<Rule> = Rule extends { readonly workspace: infer Field extends string } ? Field : never

/** How many fields at the beginning of an index are filled in. */
type PrefixLength<Rule> = Rule extends { readonly workspace: string } ? 2 : 1

/** A document as a function writes it: its tenant is filled in, its workspace too where the call is made in one. */
export type TenantDocument<Document, Rule> = Omit<Document, TenantField<Rule> | WorkspaceField<Rule>> &
  Partial<Pick<Document, WorkspaceField<Rule> & keyof Document>>

/** Everything of the tenant, narrowed by an index or not. Search indexes and `count` are not offered: they do not take the prefix. */
export interface TenantQuery<DataModel extends GenericDataModel, Table extends TableNamesInDataModel<DataModel>, Rule>
  extends Query<DataModel[Table]> {
  /** An index that begins with the tenant's field; `range` goes on after it. */
  withIndex<Index extends keyof DataModel[Table]['indexes'] & string>(
    index: Index,
    range?: (
      q: IndexRangeBuilder<DataModel[Table]['document'], DataModel[Table]['indexes'][Index], PrefixLength<Rule>>,
    ) => IndexRange,
  ): Query<DataModel[Table]>
}

/** `ctx.db` of a query: the caller's own rows. An id of anybody else's row is one of no row at all. */
export interface TenantReader<DataModel extends GenericDataModel, Rules extends TenantRules<DataModel>> {
  get<Table extends TenantTable<DataModel, Rules>>(
    id: GenericId<Table>,
  ): Promise<DocumentByName<DataModel, Table> | null>
  get<Table extends TenantTable<DataModel, Rules>>(
    table: Table,
    id: GenericId<Table>,
  ): Promise<DocumentByName<DataModel, Table> | null>
  /** Of a table with workspaces: the rows of the workspace that the function was called in. */
  query<Table extends TenantTable<DataModel, Rules>>(table: Table): TenantQuery<DataModel, Table, Rules[Table]>
  normalizeId<Table extends TenantTable<DataModel, Rules>>(table: Table, id: string): GenericId<Table> | null
}

/** `ctx.db` of a mutation. */
export interface TenantWriter<DataModel extends GenericDataModel, Rules extends TenantRules<DataModel>>
  extends TenantReader<DataModel, Rules> {
  insert<Table extends TenantTable<DataModel, Rules>>(
    table: Table,
    value: TenantDocument<WithoutSystemFields<DocumentByName<DataModel, Table>>, Rules[Table]>,
  ): Promise<GenericId<Table>>
  patch<Table extends TenantTable<DataModel, Rules>>(
    id: GenericId<Table>,
    value: Partial<Omit<DocumentByName<DataModel, Table>, TenantField<Rules[Table]>>>,
  ): Promise<void>
  replace<Table extends TenantTable<DataModel, Rules>>(
    id: GenericId<Table>,
    value: TenantDocument<WithoutSystemFields<DocumentByName<DataModel, Table>>, Rules[Table]>,
  ): Promise<void>
  delete<Table extends TenantTable<DataModel, Rules>>(id: GenericId<Table>): Promise<void>
}
