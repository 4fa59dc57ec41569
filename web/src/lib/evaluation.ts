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
  models: { model: string; estimates: Record<string, Estimate> }[]
}

/** For each measure the models, best first. */
export function plots({ models }: Figures): [string, Estimated[]][] {
  const measures = [...new Set(models.flatMap((one) => Object.keys(one.estimates)))]
  return measures.map((measure) => [
    measure,
    models
      .flatMap(({ model, estimates }) => (estimates[measure] ? [{ name: model, ...estimates[measure] }] : []))
      .sort((a, b) => b.value - a.value),
  ])
}
