import { Argument, type Command } from 'commander'
import { perform, type Session } from './session.js'

/** Each asks `model-cache complete` for the candidates of the last word, `candidate<TAB>description` in lines. */
const SCRIPTS = {
  bash: `# model-cache completion for bash. In ~/.bashrc: source <(model-cache completion bash)
_model_cache() {
  local line
  COMPREPLY=()
  while IFS= read -r line; do
    COMPREPLY+=("\${line%%$'\\t'*}")
  done < <(model-cache complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _model_cache model-cache`,
  zsh: `#compdef model-cache
# model-cache completion for zsh. In ~/.zshrc, after compinit: source <(model-cache completion zsh)
_model_cache() {
  local line name description
  local -a candidates
  for line in "\${(@f)$(model-cache complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    [[ -n $line ]] || continue
    name="\${\${line%%$'\\t'*}//:/\\\\:}" description="\${line#*$'\\t'}"
    # A colon with nothing behind it would be shown as a bare "--".
    candidates+=("$name\${description:+:$description}")
  done
  if (( $#candidates )); then
    _describe model-cache candidates
  else
    _files
  fi
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
  _model_cache "$@"
else
  compdef _model_cache model-cache
fi`,
  fish: `# model-cache completion for fish. In ~/.config/fish/config.fish: model-cache completion fish | source
function __model_cache
  set -l words (commandline -opc)
  set -l candidates (model-cache complete -- $words[2..] (commandline -ct) 2>/dev/null)
  if test (count $candidates) -gt 0
    printf '%s\\n' $candidates
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c model-cache -f -k -a '(__model_cache)'`,
} as const

type Shell = keyof typeof SCRIPTS

export function addCompletion(program: Command): void {
  program
    .command('completion')
    .description('print the completion script of a shell')
    .addArgument(new Argument('<shell>', 'the shell').choices(Object.keys(SCRIPTS)))
    .action(perform(printScript))
}

async function printScript({ output }: Session, shell: string): Promise<void> {
  for (const line of SCRIPTS[shell as Shell].split('\n')) output.print(line)
}
