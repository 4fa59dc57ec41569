// The figures of `crossfade evaluate` as rows of plots.
export interface Estimated {
  name: string
  value: number
  low: number
  high: number
}
interface Estimate {
  value: number
  low: number
  high: number
}
export interface Figures {
  split: string
  kind: string
  users: number
  items: number
  models: { model: string; estimates: Record<string, Estimate> }[]
}

/** Measures of which less is better. */
const FALLING = new Set(['percentile_rank', 'miscalibration'])

/** A measure without the length of the lists: "recall" of "recall@20". */
export const measureOf = (name: string): string => name.replace(/@\d+$/, '')

/** For each measure the models, best first. */
export function plots({ models }: Figures): [string, Estimated[]][] {
  const measures = [...new Set(models.flatMap((one) => Object.keys(one.estimates)))]
  return measures.map((measure) => {
    const rows = models.flatMap(({ model, estimates }) => (estimates[measure] ? [{ name: model, ...estimates[measure] }] : []))
    const best = rows.sort((a, b) => b.value - a.value)
    return [measure, FALLING.has(measureOf(measure)) ? best.reverse() : best]
  })
}
