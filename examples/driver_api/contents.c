/* SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception */

#include "contents.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Place j of each row holds an index of j's segment, each once. */
static void check_permutation(const struct argument *argument,
                              const char *where) {
  json_int_t segment;
  const char *kind;
  unpack(argument->contents, where, "{s:s, s:I}", "kind", &kind, "segment",
         &segment);
  const int32_t *values = (const int32_t *)argument->host;
  int64_t rows = argument->extents[0] * argument->extents[1];
  int64_t length = argument->extents[2];
  bool *seen = allocate((size_t)length, sizeof(*seen));
  for (int64_t row = 0; row < rows; ++row, values += length) {
    memset(seen, 0, (size_t)length);
    for (int64_t j = 0; j < length; ++j) {
      int64_t begin = j / segment * segment, value = values[j];
      bool is_tail = begin + segment > length;
      bool is_inside = value >= begin && value < begin + segment;
      if (!is_inside || (is_tail && value != j) || seen[value])
        fail("%s: row %" PRId64 ", place %" PRId64 " holds %" PRId64
             ", which breaks the permutation",
             where, row, j, value);
      seen[value] = true;
    }
  }
  free(seen);
}

/* What `selection_counts` says. */
struct selection {
  const struct argument *counts, *indices, *permutation;
  json_int_t query_block, key_block, window; /* 0 where there is no window */
  int64_t query_length, key_length;
  int causal;
};

/* Whether every query of a block may attend every key of a key block. */
static bool is_whole(const struct selection *selection, int64_t batch,
                     int64_t head, int64_t query_block, int64_t key_block) {
  int64_t first_key = key_block * selection->key_block;
  int64_t end_key = first_key + selection->key_block;
  if (end_key > selection->key_length)
    return false;
  int64_t first = query_block * selection->query_block;
  int64_t end = first + selection->query_block;
  if (end > selection->query_length)
    end = selection->query_length;
  int64_t shift = selection->key_length - selection->query_length;
  const int32_t *order = NULL;
  if (selection->permutation) {
    const int64_t *extents = selection->permutation->extents;
    int64_t group = selection->counts->extents[1] / extents[1];
    order = (const int32_t *)selection->permutation->host +
            (batch * extents[1] + head / group) * extents[2];
  }
  for (int64_t j = first_key; j < end_key; ++j) {
    int64_t key = order ? order[j] : j;
    if (selection->causal && key > first + shift)
      return false;
    if (selection->window && key <= end - 1 + shift - selection->window)
      return false;
  }
  return true;
}

static void check_row(const struct selection *selection, int64_t batch,
                      int64_t head, int64_t block, const char *where) {
  const int64_t *extents = selection->indices->extents;
  int64_t row = (batch * extents[1] + head) * extents[2] + block;
  int64_t capacity = extents[3];
  int64_t key_blocks = (selection->key_length - 1) / selection->key_block + 1;
  const int32_t *count = (const int32_t *)selection->counts->host + 2 * row;
  const uint16_t *list =
      (const uint16_t *)selection->indices->host + capacity * row;
  int64_t whole = count[0], listed = whole + count[1];
  if (count[0] < 0 || count[1] < 0 || listed > capacity || listed > key_blocks)
    fail("%s: batch %" PRId64 ", head %" PRId64 ", query block %" PRId64
         " counts %d whole and %d masked blocks",
         where, batch, head, block, count[0], count[1]);
  bool *seen = allocate((size_t)key_blocks, sizeof(*seen));
  for (int64_t i = 0; i < capacity; ++i) {
    bool is_sound = list[i] == 65535;
    if (i < listed) {
      is_sound =
          list[i] < key_blocks && !seen[list[i]] &&
          (i == 0 || i == whole || list[i] > list[i - 1]) &&
          (i >= whole || is_whole(selection, batch, head, block, list[i]));
    }
    if (!is_sound)
      fail("%s: batch %" PRId64 ", head %" PRId64 ", query block %" PRId64
           ": place %" PRId64 " lists block %d",
           where, batch, head, block, i, list[i]);
    if (i < listed)
      seen[list[i]] = true;
  }
  free(seen);
}

/* Whether the arguments are of the kinds and shapes that belong together. */
static bool is_consistent(const struct selection *selection) {
  const struct argument *order = selection->permutation;
  const int64_t *counts = selection->counts->extents;
  const int64_t *indices = selection->indices->extents;
  if (selection->indices->kind != SELECTION_INDICES ||
      selection->indices->is_output || selection->query_length < 1 ||
      selection->key_length < 1)
    return false;
  if (order &&
      (order->kind != PERMUTATION || order->is_output ||
       order->extents[0] != counts[0] || counts[1] % order->extents[1] != 0 ||
       order->extents[2] != selection->key_length))
    return false;
  int64_t query_blocks =
      (selection->query_length - 1) / selection->query_block + 1;
  return memcmp(counts, indices, 3 * sizeof(*counts)) == 0 && counts[3] == 2 &&
         counts[2] == query_blocks;
}

static void check_selection(const struct entry *entry,
                            const struct argument *counts, const char *where) {
  struct selection selection = {.counts = counts};
  const char *kind, *indices, *permutation = NULL;
  json_t *query_length, *key_length;
  unpack(counts->contents, where,
         "{s:s, s:s, s:I, s:I, s:o, s:o, s:b, s?s, s?I}", "kind", &kind,
         "indices", &indices, "query_block", &selection.query_block,
         "key_block", &selection.key_block, "query_length", &query_length,
         "key_length", &key_length, "causal", &selection.causal, "permutation",
         &permutation, "window", &selection.window);
  selection.indices = find_argument(entry, indices);
  selection.permutation = find_argument(entry, permutation);
  selection.query_length = evaluate(entry, query_length, where);
  selection.key_length = evaluate(entry, key_length, where);
  if (!is_consistent(&selection))
    fail("%s: its contents do not fit the arguments that they name", where);
  const int64_t *extents = selection.indices->extents;
  for (int64_t batch = 0; batch < extents[0]; ++batch)
    for (int64_t head = 0; head < extents[1]; ++head)
      for (int64_t block = 0; block < extents[2]; ++block)
        check_row(&selection, batch, head, block, where);
}

void check_contents(const struct entry *entry, const char *path) {
  char where[max_text];
  for (size_t i = 0; i < entry->input_count; ++i) {
    const struct argument *argument = &entry->arguments[i];
    snprintf(where, sizeof(where), "%s: argument '%s'", path,
             argument->memory.name);
    if (argument->kind == PERMUTATION)
      check_permutation(argument, where);
  }
  /* Selections trust permutations. */
  for (size_t i = 0; i < entry->input_count; ++i) {
    const struct argument *argument = &entry->arguments[i];
    snprintf(where, sizeof(where), "%s: argument '%s'", path,
             argument->memory.name);
    if (argument->kind == SELECTION_COUNTS)
      check_selection(entry, argument, where);
  }
}
