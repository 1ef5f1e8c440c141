/** An answer that is an error, with the headers by which the Hub's clients tell errors apart. */
export class Problem extends Error {
  readonly status: number
  readonly code: string | undefined
  readonly headers: Record<string, string>

  constructor(
    status: number,
    code: string | undefined,
    message: string,
    headers: Record<string, string> = {},
  ) {
    super(message)
    this.status = status
    this.code = code
    this.headers = headers
  }
}

/** To callers without a token a missing repository looks like one they may not see. */
export function repoNotFound(authorized: boolean): Problem {
  return new Problem(authorized ? 404 : 401, 'RepoNotFound', 'Repository not found')
}

export function revisionNotFound(revision: string): Problem {
  return new Problem(404, 'RevisionNotFound', `Invalid rev id: ${revision}`)
}

/** The commit comes along: that the file is not there is a fact about it. */
export function entryNotFound(commit: string): Problem {
  return new Problem(404, 'EntryNotFound', 'Entry not found', { 'x-repo-commit': commit })
}

export function gated(repo: string, authorized: boolean): Problem {
  const step = authorized
    ? 'You are not in the authorized list. Visit the repository to ask for access.'
    : 'You must have access to it and be authenticated to access it. Please log in.'
  return new Problem(authorized ? 403 : 401, 'GatedRepo', `Access to model ${repo} is restricted. ${step}`)
}

export function disabled(): Problem {
  return new Problem(403, undefined, 'Access to this resource is disabled.')
}

export function invalidCredentials(): Problem {
  return new Problem(401, undefined, 'Invalid credentials in Authorization header')
}

export function rateLimited(headers: Record<string, string>): Problem {
  return new Problem(429, undefined, 'We had to rate limit your IP. Please retry later.', headers)
}
