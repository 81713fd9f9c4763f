// SPDX-License-Identifier: GPL-2.0-only

// The programs of programs.c over Go's runtime: what they do, and how they are
// measured, is the same. It takes its turns as all contestants do (run.c).
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"time"
)

const (
	minDepth      = 4
	maxDepth      = 14
	longDepth     = 14
	queueLength   = 10000
	bucketEntries = 2
	cacheShare    = 16
)

// An object of 64 bytes.
type node struct {
	left, right *node
	payload     [6]uint64
}

var (
	longTree, queueFirst, queueLast, ring *node
	table, cached                         []*node
	nrKeys, nrCached, inCache             uint64
	chance                                uint64 = 88172645463325252
)

// xorshift, as in util.c
func randomBelow(n uint64) uint64 {
	chance ^= chance << 13
	chance ^= chance >> 7
	chance ^= chance << 17
	return chance % n
}

func treeNodes(depth uint) int {
	return 2<<depth - 1
}

func treeBottomUp(depth uint) *node {
	if depth == 0 {
		return new(node)
	}
	left := treeBottomUp(depth - 1)
	right := treeBottomUp(depth - 1)
	n := new(node)
	n.left = left
	n.right = right
	return n
}

func treeTopDown(n *node, depth uint) {
	if depth == 0 {
		return
	}
	n.left = new(node)
	n.right = new(node)
	treeTopDown(n.left, depth-1)
	treeTopDown(n.right, depth-1)
}

func lookAtLongTree() {
	depth := 0
	for n := longTree; n.left != nil; n = n.right {
		depth++
	}
	if depth != longDepth {
		panic("the tree has lost its leaves")
	}
}

// The compiler may not keep a tree on the stack that nobody else sees.
var sink *node

func runTrees() {
	for depth := uint(minDepth); depth <= maxDepth; depth += 2 {
		for i := treeNodes(maxDepth) / treeNodes(depth); i > 0; i-- {
			sink = new(node)
			treeTopDown(sink, depth)
			sink = treeBottomUp(depth)
		}
	}
	sink = nil
	lookAtLongTree()
}

func queuePut(n *node) {
	if queueLast != nil {
		queueLast.left = n
	} else {
		queueFirst = n
	}
	queueLast = n
}

func queueGet() {
	queueFirst = queueFirst.left
	if queueFirst == nil {
		queueLast = nil
	}
}

func runQueue(n uint64) {
	for ; n > 0; n-- {
		queuePut(new(node))
		queueGet()
	}
}

func bucketOf(key uint64) **node {
	return &table[key*0x9e3779b97f4a7c15%uint64(len(table))]
}

func tableAdd(key uint64) {
	bucket := bucketOf(key)
	n := new(node)
	n.payload[0] = key
	n.left = *bucket
	*bucket = n
}

func tableReplace(key uint64) {
	n := new(node)
	n.payload[0] = key
	at := bucketOf(key)
	for (*at).payload[0] != key {
		at = &(*at).left
	}
	n.left = (*at).left
	*at = n
}

func runTable(n uint64) {
	for ; n > 0; n-- {
		tableReplace(randomBelow(nrKeys))
	}
}

func ringRemove(n *node) {
	n.left.right = n.right
	n.right.left = n.left
}

func ringAdd(n *node) {
	n.left = ring.left
	n.right = ring
	ring.left.right = n
	ring.left = n
}

func cacheAdd(key uint64) {
	n := new(node)
	n.payload[0] = key
	if inCache == nrCached {
		oldest := ring.right
		ringRemove(oldest)
		cached[oldest.payload[0]] = nil
	} else {
		inCache++
	}
	ringAdd(n)
	cached[key] = n
}

func cacheHit(key uint64) bool {
	n := cached[key]
	if n == nil {
		return false
	}
	ringRemove(n)
	ringAdd(n)
	n.payload[1]++
	return true
}

func runCache(n uint64) {
	for ; n > 0; n-- {
		keys := nrKeys
		if (n-1)%4 != 0 {
			keys = nrCached / 2
		}
		key := randomBelow(keys)
		if !cacheHit(key) {
			cacheAdd(key)
		}
	}
}

// Doubles what it does until that takes so long; ns for one.
func timeLoop(run func(n uint64), atLeast time.Duration) float64 {
	for n := uint64(1000); ; n *= 2 {
		begun := time.Now()
		run(n)
		if took := time.Since(begun); took >= atLeast {
			return float64(took.Nanoseconds()) / float64(n)
		}
	}
}

func setUp(objects uint64) {
	nrKeys = objects
	nrCached = nrKeys/cacheShare + 1
	longTree = treeBottomUp(longDepth)
	for i := 0; i < queueLength; i++ {
		queuePut(new(node))
	}
	table = make([]*node, nrKeys/bucketEntries+1)
	for i := uint64(0); i < nrKeys; i++ {
		tableAdd(i)
	}
	cached = make([]*node, nrKeys)
	ring = new(node)
	ring.left = ring
	ring.right = ring
}

func takeTurn(turn time.Duration) {
	begun := time.Now()
	runTrees()
	trees := float64(time.Since(begun).Nanoseconds()) / 1e6
	fmt.Printf("%g %g %g %g\n", trees, timeLoop(runQueue, turn/5),
		timeLoop(runTable, turn/5), timeLoop(runCache, turn/5))
}

// The options are those of marena-bench, of which two matter here.
func main() {
	var objects, turnMs, other uint64
	var text string

	for _, name := range []string{"n", "objects"} {
		flag.Uint64Var(&objects, name, 1000000, "")
	}
	for _, name := range []string{"t", "turn-ms"} {
		flag.Uint64Var(&turnMs, name, 500, "")
	}
	for _, name := range []string{"r", "rounds", "m", "mib"} {
		flag.Uint64Var(&other, name, 0, "")
	}
	for _, name := range []string{"J", "json", "contestant"} {
		flag.StringVar(&text, name, "", "")
	}
	flag.Parse()
	setUp(objects)
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		takeTurn(time.Duration(turnMs) * time.Millisecond)
	}
}
