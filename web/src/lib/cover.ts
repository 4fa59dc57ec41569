// A picture for an item without one: the same id has the same colours and shapes.

/** A hash of text, 32 bits (FNV-1a). */
export function hashed(id: string): number {
  let hash = 2166136261
  for (const letter of id) hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 16777619)
  return hash >>> 0
}

export interface Cover {
  from: string
  to: string
  shape: string
  circles: { x: number; y: number; radius: number }[]
}

export function coverOf(id: string): Cover {
  const hash = hashed(id)
  const hue = hash % 360
  const other = (hue + 40 + ((hash >>> 9) % 90)) % 360
  const place = (shift: number) => 12 + ((hash >>> shift) % 76)
  return {
    from: `hsl(${hue} 46% 42%)`,
    to: `hsl(${other} 52% 26%)`,
    shape: `hsl(${other} 70% 72%)`,
    circles: [
      { x: place(3), y: place(7), radius: 18 + ((hash >>> 11) % 26) },
      { x: place(14), y: place(17), radius: 8 + ((hash >>> 20) % 16) },
    ],
  }
}

const PICTURE = 256 // pixels

/** The cover as a PNG in a data: address, for the lock screen. */
export function pictureOf(id: string): string {
  const canvas = document.createElement('canvas')
  canvas.width = canvas.height = PICTURE
  const context = canvas.getContext('2d')
  if (!context) return ''
  const cover = coverOf(id)
  context.scale(PICTURE / 100, PICTURE / 100)
  const ground = context.createLinearGradient(0, 0, 100, 100)
  ground.addColorStop(0, cover.from)
  ground.addColorStop(1, cover.to)
  context.fillStyle = ground
  context.fillRect(0, 0, 100, 100)
  context.fillStyle = cover.shape
  for (const [place, circle] of cover.circles.entries()) {
    context.globalAlpha = place ? 0.55 : 0.22
    context.beginPath()
    context.arc(circle.x, circle.y, circle.radius, 0, 7)
    context.fill()
  }
  return canvas.toDataURL('image/png')
}
