package main

import (
	"fmt"
	"io/fs"
	"path/filepath"
)

const bitsPerFile = 24

// Flipped is a log of which one bit is wrong.
type flipped struct {
	files
	name string
	bit  int
}

func (f flipped) read(name string) ([]byte, error) {
	data, err := f.files.read(name)
	if err != nil || name != f.name {
		return data, err
	}
	wrong := append([]byte(nil), data...)
	wrong[f.bit/8] ^= 1 << (f.bit % 8)
	return wrong, nil
}

// Refuse damages each file of a log that is right, in bits spread over all of it, and fails unless check
// notices every time.
func refuse(f folder, keys trusted) error {
	if err := check(f, keys, silent); err != nil {
		return fmt.Errorf("before any damage: %w", err)
	}
	var damages []flipped
	err := filepath.WalkDir(string(f), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		relative, err := filepath.Rel(string(f), path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(relative)
		data, err := f.read(name)
		if err != nil {
			return err
		}
		bits := len(data) * 8
		for n := 0; n < bitsPerFile; n++ {
			damages = append(damages, flipped{f, name, (bits*n + bits/2) / bitsPerFile})
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = each("damages", int64(len(damages)), say, func(n int64) error {
		damage := damages[n]
		if check(damage, keys, silent) == nil {
			return fmt.Errorf("%s with bit %d flipped is accepted", damage.name, damage.bit)
		}
		return nil
	})
	if err == nil {
		say("%s times one bit flipped, in every file of a small log: refused each time", thousands(int64(len(damages))))
	}
	return err
}
