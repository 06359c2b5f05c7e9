// Read from disk, a page may not open another one: the search lists titles, without the lines around the word.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
