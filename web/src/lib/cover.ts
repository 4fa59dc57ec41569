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
