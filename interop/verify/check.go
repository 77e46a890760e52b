package main

import (
	"bytes"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Check verifies all that the files hold. Of our code's work nothing is taken over but the bytes: Go makes
// the tree again from the entries, every tile from that tree, and every proof a second time.
func check(f files, keys trusted, report reporter) error {
	msg, err := f.read("log/checkpoint")
	if err != nil {
		return err
	}
	tree, err := keys.open(msg)
	if err != nil {
		return fmt.Errorf("the checkpoint: %w", err)
	}
	report("the checkpoint of %s entries is signed, and cosigned by a key unknown to it", thousands(tree.N))
	made, err := rebuild(f, tree)
	if err != nil {
		return err
	}
	report("%s entries in their bundles hash to the root", thousands(tree.N))
	count, err := checkTiles(f, tree, made)
	if err != nil {
		return err
	}
	report("%s tiles are what Go makes of them", thousands(count))
	if count, err = checkEarlier(f, keys, made); err != nil {
		return err
	}
	report("%s earlier checkpoints are of the same log", thousands(count))
	if err := checkInclusion(f, tree, made, report); err != nil {
		return err
	}
	report("%s inclusion proofs of ours verify, and are Go's own", thousands(tree.N))
	if err := checkConsistency(f, tree, made, report); err != nil {
		return err
	}
	report("%s consistency proofs of ours verify, and are Go's own", thousands(tree.N))
	return nil
}

// Hashes are all of a tree's, in memory, as tlog numbers them.
type hashes []tlog.Hash

func (h hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		if index >= int64(len(h)) {
			return nil, errors.New("no such hash")
		}
		found[i] = h[index]
	}
	return found, nil
}

// Rebuild makes the tree from the entries in the bundles, each of which is in its tile too.
func rebuild(f files, tree tlog.Tree) (hashes, error) {
	var made hashes
	var count int64
	for count < tree.N {
		tile := tlog.Tile{H: height, L: 0, N: count >> height, W: 1 << height}
		if left := tree.N - count; left < 1<<height {
			tile.W = int(left)
		}
		data, err := f.read(bundlePath(tile))
		if err != nil {
			return nil, err
		}
		entries, err := splitBundle(data)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", bundlePath(tile), err)
		}
		if len(entries) != tile.W {
			return nil, fmt.Errorf("%s: %d entries", bundlePath(tile), len(entries))
		}
		leaves, err := f.read(tilePath(tile))
		if err != nil {
			return nil, err
		}
		for i, entry := range entries {
			leaf := tlog.RecordHash(entry)
			if !bytes.HasPrefix(leaves[min(i*tlog.HashSize, len(leaves)):], leaf[:]) {
				return nil, fmt.Errorf("%s: entry %d has another leaf hash", tilePath(tile), count)
			}
			more, err := tlog.StoredHashes(count, entry, made)
			if err != nil {
				return nil, err
			}
			made = append(made, more...)
			count++
		}
	}
	root, err := tlog.TreeHash(tree.N, made)
	if err == nil && root != tree.Hash {
		err = errors.New("the entries do not hash to the root that was signed")
	}
	return made, err
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}

func checkTiles(f files, tree tlog.Tree, made hashes) (int64, error) {
	var count int64
	for _, tile := range tlog.NewTiles(height, 0, tree.N) {
		// Go lists a partial tile in each width that it ever had; a checkpoint needs the last.
		width := tree.N>>(height*tile.L) - tile.N<<height
		if tile.W < 1<<height && int64(tile.W) != width {
			continue
		}
		count++
		want, err := tlog.ReadTileData(tile, made)
		if err != nil {
			return 0, err
		}
		got, err := f.read(tilePath(tile))
		if err != nil {
			return 0, err
		}
		if !bytes.Equal(want, got) {
			return 0, fmt.Errorf("%s is not what Go makes of the entries", tilePath(tile))
		}
	}
	return count, nil
}

func checkEarlier(f files, keys trusted, made hashes) (int64, error) {
	data, err := f.read("checkpoints")
	if err != nil {
		return 0, err
	}
	notes, err := splitNotes(data)
	if err != nil {
		return 0, fmt.Errorf("checkpoints: %w", err)
	}
	for i, msg := range notes {
		tree, err := keys.open(msg)
		if err != nil {
			return 0, fmt.Errorf("earlier checkpoint %d: %w", i, err)
		}
		root, err := tlog.TreeHash(tree.N, made)
		if err != nil || root != tree.Hash {
			return 0, fmt.Errorf("the checkpoint of %d entries is of another log", tree.N)
		}
	}
	return int64(len(notes)), nil
}

func checkInclusion(f files, tree tlog.Tree, made hashes, report reporter) error {
	data, err := f.read("inclusion")
	if err != nil {
		return err
	}
	proofs, err := splitProofs(data, tree.N)
	if err != nil {
		return fmt.Errorf("inclusion: %w", err)
	}
	reader := tlog.TileHashReader(tree, &tiles{files: f})
	return each("inclusion proofs", tree.N, report, func(n int64) error {
		leaf := made[tlog.StoredHashIndex(0, n)]
		if err := tlog.CheckRecord(proofs[n], tree.N, tree.Hash, n, leaf); err != nil {
			return fmt.Errorf("our proof of entry %d: %w", n, err)
		}
		own, err := tlog.ProveRecord(tree.N, n, reader)
		if err != nil {
			return fmt.Errorf("Go's proof of entry %d: %w", n, err)
		}
		if err := tlog.CheckRecord(own, tree.N, tree.Hash, n, leaf); err != nil {
			return fmt.Errorf("Go's proof of entry %d: %w", n, err)
		}
		return same(own, proofs[n], "of entry", n)
	})
}

func checkConsistency(f files, tree tlog.Tree, made hashes, report reporter) error {
	data, err := f.read("consistency")
	if err != nil {
		return err
	}
	proofs, err := splitProofs(data, tree.N)
	if err != nil {
		return fmt.Errorf("consistency: %w", err)
	}
	return each("consistency proofs", tree.N, report, func(n int64) error {
		old := n + 1
		root, err := tlog.TreeHash(old, made)
		if err != nil {
			return err
		}
		if err := tlog.CheckTree(proofs[n], tree.N, tree.Hash, old, root); err != nil {
			return fmt.Errorf("our proof from size %d: %w", old, err)
		}
		own, err := tlog.ProveTree(tree.N, old, made)
		if err != nil {
			return fmt.Errorf("Go's proof from size %d: %w", old, err)
		}
		return same(own, proofs[n], "from size", old)
	})
}

func same(own, ours []tlog.Hash, what string, n int64) error {
	if len(own) != len(ours) {
		return fmt.Errorf("the proof %s %d has %d hashes, Go's %d", what, n, len(ours), len(own))
	}
	for i := range own {
		if own[i] != ours[i] {
			return fmt.Errorf("the proof %s %d is not Go's", what, n)
		}
	}
	return nil
}

// Each does something for 0 to before count on all processors, and returns the first error.
func each(what string, count int64, report reporter, do func(int64) error) error {
	var (
		next, done int64
		failed     atomic.Value
		workers    sync.WaitGroup
	)
	for i := 0; i < runtime.NumCPU(); i++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for n := atomic.AddInt64(&next, 1) - 1; n < count && failed.Load() == nil; n = atomic.AddInt64(&next, 1) - 1 {
				if err := do(n); err != nil {
					failed.CompareAndSwap(nil, err.Error())
				}
				atomic.AddInt64(&done, 1)
			}
		}()
	}
	finished := make(chan struct{})
	go func() {
		workers.Wait()
		close(finished)
	}()
	ticker := time.NewTicker(2 * time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			report("... %s %s of %s", thousands(atomic.LoadInt64(&done)), what, thousands(count))
		case <-finished:
			if text, ok := failed.Load().(string); ok {
				return errors.New(text)
			}
			return nil
		}
	}
}
