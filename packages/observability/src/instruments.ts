import { Counter as PromCounter, Gauge as PromGauge, Histogram as PromHistogram, type Registry } from 'prom-client'
import { ObservabilityError } from './observability-error.ts'

/** What a label outside its list is counted under. */
export const other = 'other'

export type LabelsOf<Name extends string> = Readonly<Record<Name, string>>

export interface Counter<Name extends string = never> {
  /** A label value that is not on its list counts as `other`. @param count @default 1; anything but a positive whole number is ignored */
  add(labels: LabelsOf<Name>, count?: number): void
}

export interface Gauge<Name extends string = never> {
  set(labels: LabelsOf<Name>, value: number): void
}

export interface Histogram<Name extends string = never> {
  /** Negative and infinite values are ignored. */
  observe(labels: LabelsOf<Name>, value: number): void
}

/** For each label the values that it may have; `other` is added to each. */
export type LabelLists<Name extends string> = Readonly<Record<Name, readonly string[]>>

interface Family<Name extends string> {
  readonly name: string
  /** Ends with what a value of 0 means, where that is not plain. */
  readonly help: string
  readonly labels: LabelLists<Name>
  /**
   * Maps labels to the series that stands for them, so that impossible combinations (a reason beside `ok`) get no series.
   * Must map its own results to themselves.
   */
  readonly fold?: (labels: LabelsOf<Name>) => LabelsOf<Name>
}

type Close<Name extends string> = (labels: LabelsOf<Name>) => Record<Name, string>

function closer<Name extends string>(family: Family<Name>): Close<Name> {
  const names = Object.keys(family.labels) as Name[]
  const allowed = names.map((name) => new Set(family.labels[name]))
  return (labels) => {
    const closed = {} as Record<Name, string>
    for (let index = 0; index < names.length; index += 1) {
      const name = names[index] as Name
      const value = labels[name]
      closed[name] = allowed[index]?.has(value) ? value : other
    }
    return family.fold === undefined ? closed : { ...family.fold(closed) }
  }
}

/** Every combination, folded; each once. */
function combinations<Name extends string>(family: Family<Name>, close: Close<Name>): Record<Name, string>[] {
  let rows: Record<string, string>[] = [{}]
  for (const [name, values] of Object.entries<readonly string[]>(family.labels)) {
    rows = rows.flatMap((row) => [...new Set([...values, other])].map((value) => ({ ...row, [name]: value })))
  }
  const folded = new Map<string, Record<Name, string>>()
  for (const row of rows) {
    const closed = close(row as Record<Name, string>)
    folded.set(JSON.stringify(closed), closed)
  }
  return [...folded.values()]
}

/**
 * A counter with every series of its lists there from the start, at 0. Counts are kept here and handed over at a scrape:
 * finding a series by one string takes a quarter of the time that hashing an object of labels does.
 */
export function counter<Name extends string>(registry: Registry, family: Family<Name>): Counter<Name> {
  const close = closer(family)
  const names = Object.keys(family.labels) as Name[]
  const keyOf = (labels: LabelsOf<Name>): string => {
    let key = ''
    // A value that has a line break itself makes one too many, and so is found nowhere.
    for (const name of names) key += `${labels[name]}\n`
    return key
  }
  const series = new Map(combinations(family, close).map((labels) => [keyOf(labels), { labels, value: 0 }]))
  const inner = new PromCounter<Name>({
    name: family.name,
    help: family.help,
    labelNames: names,
    registers: [registry],
    collect: () => {
      inner.reset()
      for (const { labels, value } of series.values()) inner.inc(labels, value)
    },
  })
  return {
    add: (labels, count = 1) => {
      if (!(count > 0 && Number.isSafeInteger(count))) return
      const found = series.get(keyOf(labels)) ?? series.get(keyOf(close(labels)))
      if (found !== undefined) found.value += count
    },
  }
}

/** A gauge with every series of its lists there from the start, at 0. */
export function gauge<Name extends string>(registry: Registry, family: Family<Name>): Gauge<Name> {
  const close = closer(family)
  const labelNames = Object.keys(family.labels) as Name[]
  const inner = new PromGauge<Name>({ name: family.name, help: family.help, labelNames, registers: [registry] })
  if (labelNames.length > 0) for (const labels of combinations(family, close)) inner.set(labels, 0)
  return {
    set: (labels, value) => {
      if (Number.isFinite(value)) inner.set(close(labels), value)
    },
  }
}

/** A histogram with every series of its lists there from the start, at 0. */
export function histogram<Name extends string>(
  registry: Registry,
  family: Family<Name> & { readonly buckets: readonly number[] },
): Histogram<Name> {
  const close = closer(family)
  const labelNames = Object.keys(family.labels) as Name[]
  const inner = new PromHistogram<Name>({
    name: family.name,
    help: family.help,
    labelNames,
    registers: [registry],
    buckets: [...family.buckets],
  })
  for (const labels of combinations(family, close)) inner.zero(labels)
  return {
    observe: (labels, value) => {
      if (value >= 0 && Number.isFinite(value)) inner.observe(close(labels), value)
    },
  }
}

/** What an instrument is called (the prefix is put before it), what it says, and the labels that it may have. */
export interface OwnFamily<Name extends string> {
  /** Lower case letters, digits and `_`, without the prefix. */
  readonly name: string
  readonly help: string
  /** For each label its values, as with those of the fleet; at most 1,000 series come of them. @default none */
  readonly labels?: LabelLists<Name>
}

/** Makes instruments of an application's own, beside those of the fleet and under the same rules. */
export interface Instruments {
  /** @throws ObservabilityError `invalid_options` for a name that is taken or malformed, and too many series */
  counter<Name extends string = never>(family: OwnFamily<Name>): Counter<Name>
  /** @throws ObservabilityError `invalid_options` */
  gauge<Name extends string = never>(family: OwnFamily<Name>): Gauge<Name>
  /** @param family `buckets`: upper bounds, growing @throws ObservabilityError `invalid_options` */
  histogram<Name extends string = never>(
    family: OwnFamily<Name> & { readonly buckets: readonly number[] },
  ): Histogram<Name>
}

const mostOwnSeries = 1_000

export function ownInstruments(registry: Registry, prefix: string): Instruments {
  const checked = <Name extends string>({ name, help, labels }: OwnFamily<Name>): Family<Name> => {
    const lists = labels ?? ({} as LabelLists<Name>)
    const series = Object.values<readonly string[]>(lists).reduce((product, values) => product * (values.length + 1), 1)
    const refuse = (what: string): never => {
      throw new ObservabilityError('invalid_options', `${JSON.stringify(name.slice(0, 64))}: ${what}`)
    }
    if (!/^[a-z][a-z0-9_]{0,63}$/.test(name)) refuse('expected lower case letters, digits and _')
    if (registry.getSingleMetric(prefix + name) !== undefined) refuse('there is a metric of this name')
    if (series > mostOwnSeries) refuse(`at most ${mostOwnSeries} series, found ${series}`)
    return { name: prefix + name, help, labels: lists }
  }
  return {
    counter: (family) => counter(registry, checked(family)),
    gauge: (family) => gauge(registry, checked(family)),
    histogram: (family) => histogram(registry, { ...checked(family), buckets: family.buckets }),
  }
}
