// Where the items of a map are, and how they are drawn. Places are in a square from -1 to 1.
import { forceCenter, forceCollide, forceLink, forceManyBody, forceSimulation, type SimulationNodeDatum } from 'd3-force'

export interface Point {
  x: number
  y: number
}
export interface Node {
  id: string
  name: string
  /** How large it is drawn, 0 to 1. */
  weight: number
  /** How brightly, 0 to 1. */
  glow: number
  /** A fixed place; without one, forces find it. */
  place?: Point
}
export interface Link {
  source: string
  target: string
  weight: number
}
export interface Drawing {
  nodes: Node[]
  links: Link[]
  places: Map<string, Point>
  path: string[]
  size: { width: number; height: number }
  view: { x: number; y: number; zoom: number }
  centre: string | undefined
  lit: string | undefined
}

const SMALLEST = 120 // reach of the simulation that fills the map: a few nodes are not blown up
const SETTLED = 60 // steps before the first picture, so that nothing flies about

/** Pixels per unit of the map; a wide canvas stretches it. */
export function scales(size: Drawing['size'], zoom: number): Point {
  const half = (Math.min(size.width, size.height) / 2) * zoom
  return { x: half * Math.min(1.8, Math.max(1, size.width / (size.height || 1))), y: half * Math.min(1.4, Math.max(1, size.height / (size.width || 1))) }
}

/** Find places for nodes, and tell them while they settle. Returns how to stop. */
export function arranged(nodes: Node[], links: Link[], centre: string | undefined, tell: (places: Map<string, Point>) => void): () => void {
  if (nodes.every((node) => node.place)) {
    tell(new Map(nodes.map((node) => [node.id, node.place as Point])))
    return () => undefined
  }
  type Body = SimulationNodeDatum & { id: string; weight: number }
  const bodies: Body[] = nodes.map((node, index) => ({
    id: node.id,
    weight: node.weight,
    ...(node.id === centre ? { fx: 0, fy: 0 } : spiral(index)),
  }))
  const known = new Set(nodes.map((node) => node.id))
  const bonds = links.filter((link) => known.has(link.source) && known.has(link.target)).map((link) => ({ ...link }))
  const simulation = forceSimulation(bodies)
    .force('charge', forceManyBody().strength(-130).distanceMax(420))
    .force('link', forceLink<Body, (typeof bonds)[number]>(bonds).id((body) => body.id).distance((bond) => 36 + 90 * (1 - bond.weight)).strength((bond) => 0.12 + 0.5 * bond.weight))
    .force('collide', forceCollide<Body>((body) => 16 + 14 * body.weight))
    .force('centre', forceCenter(0, 0).strength(0.04))
    .stop()
  const told = () => tell(fitted(bodies))
  simulation.tick(SETTLED)
  told()
  if (matchMedia('(prefers-reduced-motion: reduce)').matches) {
    simulation.tick(240)
    told()
  } else simulation.alphaDecay(0.04).on('tick', told).restart()
  return () => void simulation.stop()
}

const spiral = (index: number): Point => {
  const angle = index * 2.4
  return { x: 14 * Math.sqrt(index) * Math.cos(angle), y: 14 * Math.sqrt(index) * Math.sin(angle) }
}

/** Stretch both ways so that the places fill the map. */
function fitted(bodies: { id: string; x?: number; y?: number }[]): Map<string, Point> {
  const reach = (way: 'x' | 'y') => Math.max(SMALLEST, ...bodies.map((body) => Math.abs(body[way] ?? 0))) / 0.9
  const [width, height] = [reach('x'), reach('y')]
  return new Map(bodies.map((body) => [body.id, { x: (body.x ?? 0) / width, y: (body.y ?? 0) / height }]))
}

/** The node nearest to a point within a radius; with a way, only nodes that lie that way. */
export function nearest(nodes: Node[], places: Map<string, Point>, at: Point, radius: Point, way?: Point): string | undefined {
  let [best, least]: [string | undefined, number] = [undefined, way ? Infinity : 1]
  for (const node of nodes) {
    const place = places.get(node.id)
    if (!place) continue
    const [dx, dy] = [place.x - at.x, place.y - at.y]
    const along = way ? dx * way.x + dy * way.y : 0
    const across = way ? Math.abs(dx * way.y) + Math.abs(dy * way.x) : 0
    if (way && along <= Math.max(1e-6, across)) continue
    const distance = way ? along + 2 * across : Math.hypot(dx / radius.x, dy / radius.y)
    if (distance < least) [best, least] = [node.id, distance]
  }
  return best
}

const NAMES = ['text', 'muted', 'accent', 'line', 'surface'] as const
type Colours = Record<(typeof NAMES)[number], string>
const themes = new Map<string, Colours>()

/** The colours of the style sheet in the theme that is shown; asked for once, since that is slow. */
function coloursNow(): Colours {
  const root = document.documentElement
  const theme = root.dataset.theme ?? ''
  const known = themes.get(theme)
  if (known) return known
  const found = NAMES.map((name) => {
    root.style.setProperty('outline-color', `var(--${name})`)
    return [name, getComputedStyle(root).outlineColor]
  })
  root.style.removeProperty('outline-color')
  const colours = Object.fromEntries(found) as Colours
  themes.set(theme, colours)
  return colours
}

const widths = new Map<string, number>() // of names, which are slow to measure

type Box = [left: number, top: number, right: number, bottom: number]

const LEADING = 10 // one in so many names may cover points
const LINE = 17 // pixels that a name is high

const meet = (a: Box, b: Box): boolean => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3]

/** Where a name of some width may stand at a point: below, above, right, left. */
function boxes({ x, y }: Point, reach: number, width: number): [Box, ...Box[]] {
  const box = (left: number, top: number): Box => [left, top, left + width, top + LINE]
  return [box(x - width / 2, y + reach), box(x - width / 2, y - reach - LINE), box(x + reach, y - LINE / 2), box(x - reach - width, y - LINE / 2)]
}

/** Draw the map. Names are drawn where they have room, those that matter most first. */
export function drawn(canvas: HTMLCanvasElement, drawing: Drawing): void {
  const { nodes, links, places, size, view } = drawing
  const context = canvas.getContext('2d')
  if (!context || !size.width) return
  const ratio = devicePixelRatio
  const [width, height] = [Math.round(size.width * ratio), Math.round(size.height * ratio)]
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height]
  context.setTransform(ratio, 0, 0, ratio, 0, 0)
  context.clearRect(0, 0, size.width, size.height)
  const colours = coloursNow()
  const scale = scales(size, view.zoom)
  const at = (id: string): Point | undefined => {
    const place = places.get(id)
    return place && { x: size.width / 2 + view.x + place.x * scale.x, y: size.height / 2 + view.y + place.y * scale.y }
  }

  const route = new Set(drawing.path.slice(1).map((id, index) => `${drawing.path[index]} ${id}`))
  const onRoute = (link: Link) => route.has(`${link.source} ${link.target}`) || route.has(`${link.target} ${link.source}`)
  const looks = new Map<string, Path2D>() // lines that look alike are drawn at once
  for (const link of links) {
    const [from, to] = [at(link.source), at(link.target)]
    if (!from || !to) continue
    const near = link.source === drawing.lit || link.target === drawing.lit
    const look = onRoute(link) ? 'route' : near ? 'near' : (0.45 + 0.55 * link.weight).toFixed(1)
    const lines = looks.get(look) ?? new Path2D()
    looks.set(look, lines)
    lines.moveTo(from.x, from.y)
    lines.lineTo(to.x, to.y)
  }
  for (const [look, lines] of looks) {
    const plain = look !== 'route' && look !== 'near'
    context.strokeStyle = plain ? colours.line : colours.accent
    context.globalAlpha = plain ? Number(look) : 0.9
    context.lineWidth = look === 'route' ? 3 : 1.2
    context.stroke(lines)
  }
  const marked = new Set([...drawing.path, drawing.centre, drawing.lit])
  const radius = (node: Node) => (4 + 9 * Math.sqrt(node.weight)) * Math.min(1.4, Math.max(0.8, Math.sqrt(view.zoom)))
  for (const node of nodes) {
    const place = at(node.id)
    if (!place) continue
    context.globalAlpha = 1
    context.fillStyle = colours.surface
    context.beginPath()
    context.arc(place.x, place.y, radius(node) + 1.5, 0, 7)
    context.fill()
    context.globalAlpha = marked.has(node.id) ? 1 : 0.25 + 0.75 * node.glow
    context.fillStyle = marked.has(node.id) || node.glow > 0.02 ? colours.accent : colours.muted
    context.beginPath()
    context.arc(place.x, place.y, radius(node), 0, 7)
    context.fill()
  }

  // A name is drawn below its point, or above or beside it, where it covers no point and no other name; else not at all.
  // The names that matter most may cover points.
  const points = nodes.flatMap((node) => {
    const place = at(node.id)
    const reach = radius(node) + 1
    return place ? [{ id: node.id, box: [place.x - reach, place.y - reach, place.x + reach, place.y + reach] as Box }] : []
  })
  const names: Box[] = []
  const rank = (node: Node) => (marked.has(node.id) ? 10 : 0) + node.weight + node.glow
  const leading = Math.ceil(nodes.length / LEADING)
  context.globalAlpha = 1
  for (const [order, node] of [...nodes].sort((a, b) => rank(b) - rank(a)).entries()) {
    const place = at(node.id)
    if (!place) continue
    const strong = marked.has(node.id)
    context.font = `${strong ? 650 : 500} 13px system-ui, sans-serif`
    const key = `${strong} ${node.name}`
    const width = widths.get(key) ?? context.measureText(node.name).width + 6
    widths.set(key, width)
    const around = boxes(place, radius(node) + 2, width)
    const inside = (box: Box) => box[0] > 0 && box[2] < size.width && box[1] > 0 && box[3] < size.height
    const roomy = around.filter((box) => inside(box) && !names.some((one) => meet(one, box)))
    const free = roomy.find((box) => !points.some((one) => one.id !== node.id && meet(one.box, box)))
    const box = free ?? (order < leading ? roomy[0] : undefined) ?? (strong ? around[0] : undefined)
    if (!box) continue
    names.push(box)
    const left = Math.min(size.width - width, Math.max(0, box[0]))
    const colour = strong || node.glow > 0.35 ? colours.text : colours.muted
    const image = written(node.name, context.font, colour, colours.surface, width, ratio)
    context.drawImage(image, Math.round(left * ratio) / ratio, Math.round(box[1] * ratio) / ratio, image.width / ratio, image.height / ratio)
  }
}

const images = new Map<string, HTMLCanvasElement>() // of names: a line around letters takes much longer than an image
const MOST_IMAGES = 1000

/** A name with a line around its letters, so that it can be read above what it covers. */
function written(name: string, font: string, colour: string, around: string, width: number, ratio: number): HTMLCanvasElement {
  const key = [name, font, colour, around, ratio].join()
  let image = images.get(key)
  if (image) return image
  if (images.size === MOST_IMAGES) images.clear()
  image = document.createElement('canvas')
  ;[image.width, image.height] = [Math.ceil(width * ratio), Math.ceil((LINE + 2) * ratio)]
  const context = image.getContext('2d') as CanvasRenderingContext2D
  context.scale(ratio, ratio)
  ;[context.font, context.fillStyle, context.strokeStyle, context.lineWidth, context.lineJoin] = [font, colour, around, 4, 'round']
  context.strokeText(name, 3, 13)
  context.fillText(name, 3, 13)
  images.set(key, image)
  return image
}
