# SPDX-License-Identifier: GPL-2.0-only
#
# plot-pages.awk: tables of `marenactl pages --raw` to maps of an arena's
# pages, one beside the other:
#
#	awk -f svg.awk -f plot-pages.awk name=Before FILE name=After FILE

FNR == 1 {
	maps++
	title[maps] = name
	for (i = 1; i <= NF; i++)
		column[$i] = i
	next
}

{
	page = $column["PAGE"]
	known[page] = 1
	if ($column["STATE"] == "empty")
		next
	fill[maps, page] = $column["FILL"] + 0
	resident[maps]++
	filled[maps] += fill[maps, page]
	if ($column["FLAGS"] ~ /leased/)
		leased[maps, page] = 1
}

# choose_columns(): a power of two that makes a map about square
function choose_columns(	page)
{
	for (page in known) {
		pages++
		if (page + 0 > highest)
			highest = page + 0
	}
	columns = 64
	while (columns * columns < pages)
		columns *= 2
	cell = columns > 512 ? 1 : 512 / columns
}

# place_rows(): a place for each row that has a page on any of the maps
function place_rows(	page, row)
{
	for (page in known)
		used[int(page / columns)] = 1
	for (row = 0; row * columns <= highest; row++)
		if (row in used)
			place[row] = nr_rows++
}

# shade(): from a light to a dark blue
function shade(percent,	part)
{
	part = (percent > 100 ? 100 : percent) / 100
	return sprintf("#%02x%02x%02x", 198 - 190 * part, 219 - 171 * part,
		       239 - 132 * part)
}

function draw_page(map, page, x, y,	inset)
{
	if (!((map, page) in fill)) {
		svg_rect(x, y, cell - line, cell - line, "#ededed")
		return
	}
	svg_rect(x, y, cell - line, cell - line,
		 (map, page) in leased ? "#e6842a" : shade(fill[map, page]))
	inset = cell / 4
	if ((map, page) in leased)
		svg_rect(x + inset, y + inset, cell - line - 2 * inset,
			 cell - line - 2 * inset, shade(fill[map, page]))
}

function draw_map(map, left, top,	page, row)
{
	svg_text(left, top - 26, title[map],
		 "font-size=\"14\" font-weight=\"bold\"")
	svg_text(left, top - 9, sprintf("%d pages resident (%.1f MiB), on " \
		 "average %d%% full", resident[map], resident[map] / 256,
		 resident[map] ? filled[map] / resident[map] : 0),
		 "fill=\"#666\"")
	for (page in known) {
		row = int(page / columns)
		draw_page(map, page, left + (page - row * columns) * cell,
			  top + place[row] * cell)
	}
}

# draw_rows(): at the left, the number of the first page of some rows
function draw_rows(top,	row, every)
{
	every = int(16 / cell) + 1
	for (row = 0; row * columns <= highest; row++)
		if (row in place && place[row] % every == 0)
			svg_text(margin - 8, top + place[row] * cell + 9,
				 row * columns, "text-anchor=\"end\" " \
				 "font-size=\"10\" fill=\"#666\"")
}

function legend(x, y,	percent)
{
	for (percent = 0; percent <= 100; percent += 25) {
		svg_rect(x, y, 14, 12, shade(percent))
		svg_text(x + 19, y + 10, percent "%")
		x += 62
	}
	svg_text(x, y + 10, "of the page in live objects")
	svg_rect(x + 190, y, 14, 12, "#e6842a")
	svg_rect(x + 194, y + 3, 6, 6, shade(50))
	svg_text(x + 209, y + 10, "leased to a thread")
	svg_rect(x + 350, y, 14, 12, "#ededed")
	svg_text(x + 369, y + 10, "without memory")
}

END {
	choose_columns()
	place_rows()
	margin = 80
	top = 130
	map_width = columns * cell
	line = cell > 4 ? 1 : 0
	width = margin + maps * (map_width + 40)
	svg_begin(width < 960 ? 960 : width, top + nr_rows * cell + 70)
	svg_text(margin, 32, "Pages of an arena",
		 "font-size=\"20\" font-weight=\"bold\"")
	svg_text(margin, 52, columns " pages of 4 KiB a row; the numbers at " \
		 "the left are of the first page of a row; rows in no use " \
		 "are left out", "fill=\"#666\"")
	draw_rows(top)
	for (map = 1; map <= maps; map++)
		draw_map(map, margin + (map - 1) * (map_width + 40), top)
	legend(margin, top + nr_rows * cell + 30)
	svg_end()
}
