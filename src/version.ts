/** Version of this package; the addon must be built from the same one. */
export const VERSION = '0.1.0'
