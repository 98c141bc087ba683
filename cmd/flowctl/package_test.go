package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"

	"github.com/rogpeppe/go-internal/testscript"
)

// scriptProgram writes the head of a program for Linux, which `flowctl package`
// takes for one.
func scriptProgram(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: program FILE arm64|x86_64")
	}
	head := elf.Header64{Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_AARCH64), Version: 1, Ehsize: 64}
	if args[1] == "x86_64" {
		head.Machine = uint16(elf.EM_X86_64)
	}
	copy(head.Ident[:], []byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), 1})
	var b bytes.Buffer
	ts.Check(binary.Write(&b, binary.LittleEndian, head))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b.Bytes(), 0o755))
}
