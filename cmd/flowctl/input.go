package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"
)

// errInterrupted is what Ctrl-C does to a command that reads its input.
var errInterrupted = errors.New("interrupted")

// input is the standard input of a command, which fails with errInterrupted once
// the command's context ends: waiting for a terminal at which nobody types would
// keep the command from hearing of Ctrl-C. Nothing is taken before the first Read.
func input(cmd *cobra.Command) io.Reader { return &commandInput{cmd: cmd} }

type commandInput struct {
	cmd  *cobra.Command
	read *io.PipeReader
}

func (i *commandInput) Read(p []byte) (int, error) {
	if i.read == nil {
		r, w := io.Pipe()
		go func() {
			_, err := io.Copy(w, i.cmd.InOrStdin())
			w.CloseWithError(err)
		}()
		context.AfterFunc(i.cmd.Context(), func() { w.CloseWithError(errInterrupted) })
		i.read = r
	}
	return i.read.Read(p)
}
