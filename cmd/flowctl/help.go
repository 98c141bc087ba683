package main

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// helpWidth is how wide a page of help is, as the narrowest of usual terminals
// breaks longer lines within words.
const helpWidth = 80

// fitHelp has the help of a command and of those below it fit helpWidth.
func fitHelp(root *cobra.Command) {
	// The last word of a line may reach 5 columns beyond what pflag is told.
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", fmt.Sprintf(".FlagUsagesWrapped %d", helpWidth-5)))
	eachCommand(root, func(cmd *cobra.Command) { cmd.Long = reflow(cmd.Long, helpWidth) })
}

func eachCommand(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, c := range cmd.Commands() {
		eachCommand(c, visit)
	}
}

// reflow breaks paragraphs anew. One with an indented line is a list or a
// command to paste and stays as it is.
func reflow(text string, width int) string {
	paragraphs := strings.Split(text, "\n\n")
	for i, p := range paragraphs {
		if !strings.HasPrefix(p, " ") && !strings.HasPrefix(p, "\t") && !strings.Contains(p, "\n ") && !strings.Contains(p, "\n\t") {
			paragraphs[i] = wrap(strings.Fields(p), width)
		}
	}
	return strings.Join(paragraphs, "\n\n")
}

func wrap(words []string, width int) string {
	var b strings.Builder
	column := 0
	for i, w := range words {
		n := utf8.RuneCountInString(w)
		switch {
		case i == 0:
		case column+1+n > width:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(w)
		column += n
	}
	return b.String()
}
