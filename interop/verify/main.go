// Verify checks a log of Concordat's with Go's own transparency log packages, those behind go.sum.
//
// Usage:
//
//	verify -log VKEY -witness VKEY check FOLDER
//	verify -log VKEY -witness VKEY refuse FOLDER
//	verify -log VKEY -witness VKEY sign FOLDER OUT
//
// FOLDER is laid out as interop/material.py says. Check verifies everything in it; refuse damages it a bit
// at a time, in memory, and fails unless each is noticed; sign writes notes for our code to verify.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"

	"golang.org/x/mod/sumdb/note"
)

func main() {
	logKey := flag.String("log", "", "the log's verifier key")
	witnessKey := flag.String("witness", "", "the witness's verifier key")
	flag.Parse()
	if err := run(*logKey, *witnessKey, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "verify:", err)
		os.Exit(1)
	}
}

func run(logKey, witnessKey string, args []string) error {
	log, err := note.NewVerifier(logKey)
	if err != nil {
		return fmt.Errorf("the log's key: %w", err)
	}
	witness, err := newWitness(witnessKey)
	if err != nil {
		return fmt.Errorf("the witness's key: %w", err)
	}
	keys := trusted{log, witness}
	switch {
	case len(args) == 2 && args[0] == "check":
		return check(folder(args[1]), keys, say)
	case len(args) == 2 && args[0] == "refuse":
		return refuse(folder(args[1]), keys)
	case len(args) == 3 && args[0] == "sign":
		return sign(folder(args[1]), keys, args[2])
	}
	return errors.New("say check FOLDER, refuse FOLDER or sign FOLDER OUT")
}
