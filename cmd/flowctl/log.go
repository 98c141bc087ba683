package main

import (
	"io"
	"log/slog"

	"github.com/spf13/cobra"
)

// logFlags choose what is logged and how.
type logFlags struct {
	logFormat string
	logLevel  string
}

// register adds the flags; the first of the levels is the default.
func (f *logFlags) register(cmd *cobra.Command, levels ...string) {
	choiceFlag(cmd, &f.logFormat, "log-format", "how to log", "text", "json")
	choiceFlag(cmd, &f.logLevel, "log-level", "least level to log", levels...)
}

// logger writes to w as the flags say.
func (f *logFlags) logger(w io.Writer) *slog.Logger { return f.loggerWith(w, nil) }

// loggerWith is logger with every attribute replaced first; nil replaces none.
func (f *logFlags) loggerWith(w io.Writer, replace func(groups []string, a slog.Attr) slog.Attr) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.logLevel)); err != nil {
		panic(err) // the flag takes only levels
	}
	o := &slog.HandlerOptions{Level: level, ReplaceAttr: replace}
	if f.logFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}
