# shellcheck shell=bash
# bash completion for routerctl. The command table is the daemon's, so it is asked. When none answers,
# the words that commands begin with are those of the routerctl that this file was built with.
_routerctl_commands=(
@words@
)

# _routerctl_known WORD...: what may stand where the last WORD stands, given those before it, each of
# which may be cut short.
_routerctl_known()
{
	local command i last=$#
	local -a words
	for command in "${_routerctl_commands[@]}" help; do
		read -ra words <<< "$command"
		for ((i = 1; i < last; i++)); do
			[[ -n ${!i} && ${words[i - 1]} == "${!i}"* ]] || continue 2
		done
		[[ ${words[last - 1]} != "${!last}"* ]] || echo "${words[last - 1]}"
	done | sort -u
}

# The words of a command: without the command itself, its options and what belongs to -R.
_routerctl()
{
	local cur=${COMP_WORDS[COMP_CWORD]} said word
	local -a words=("${COMP_WORDS[@]:1:COMP_CWORD}")
	COMPREPLY=()
	if [[ ${COMP_WORDS[COMP_CWORD - 1]} == -R ]]; then
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
	fi
	if ! said=$(routerctl --complete "${words[@]}" 2> /dev/null); then
		local -a plain=()
		local i skip=
		for ((i = 0; i < ${#words[@]} - 1; i++)); do
			case $skip${words[i]} in
			-R) skip=skip ;;
			skip*) skip= ;;
			-*) ;;
			*) plain+=("${words[i]}") ;;
			esac
		done
		said=$(_routerctl_known "${plain[@]}" "$cur")
	fi
	while IFS= read -r word; do
		case $word in
		'<file>')
			compopt -o filenames
			mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "$cur")
			;;
		'<interface>' | '<iface>' | '<device>')
			mapfile -t -O ${#COMPREPLY[@]} COMPREPLY \
				< <(compgen -W "$(ls /sys/class/net)" -- "$cur")
			;;
		'' | '<'*) ;;
		*) COMPREPLY+=("$word") ;;
		esac
	done <<< "$said"
}
complete -F _routerctl routerctl
