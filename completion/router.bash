# shellcheck shell=bash
# bash completion for router
_router()
{
	local cur=${COMP_WORDS[COMP_CWORD]}
	COMPREPLY=()
	case ${COMP_WORDS[COMP_CWORD - 1]} in
	-R)
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	-c | --config | --check)
		compopt -o filenames 2> /dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		;;
	esac
	[[ $cur != -* ]] ||
		mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -W \
			"-c -R -v --check --cleanup --config --handover --schema --help --version" -- "$cur")
}
complete -F _router router
