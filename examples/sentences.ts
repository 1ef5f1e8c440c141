/** The three sentences of the sentence-transformers documentation, and the similarities it publishes for them. */
export const SENTENCES = [
  'The weather is lovely today.',
  "It's so sunny outside!",
  'He drove to the stadium.',
] as const

/** Similarity of the first and second, first and third, second and third. */
export const PUBLISHED = [0.666, 0.1046, 0.1411] as const
