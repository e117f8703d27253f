# awk -v out=FOLDER -f blocks.awk FILE.md …: writes each block that is C, C++ or sh to FOLDER/NAME_NUMBER.c, .cpp or .sh and prints that name.
# A fence with a second word, as in "```sh illustration", is not for running. So are the commands that set up or test the whole project.
FNR == 1 { number = 0; inside = 0; name = FILENAME; sub(/.*\//, "", name); sub(/\.md$/, "", name) }
/^```/ && !inside {
  inside = 1; wanted = 0
  kind = substr($0, 4)
  if (kind == "c" || kind == "cpp" || kind == "sh") { wanted = 1; ++number; text = ""; at = FNR + 1 }
  next
}
/^```/ {
  inside = 0
  if (!wanted || text ~ /examples\/demo\.sh|tests\/run\.sh/) next
  file = out "/" name "_" number "." kind
  whole = text ~ /int main/
  if (kind != "sh") {
    # Lines are numbered as in the document, so that a compiler's message names the place.
    body = "#line " at " \"" FILENAME "\"\n" text
    text = whole ? body : "#include \"fragment." (kind == "c" ? "h" : "hpp") "\"\nBEGIN\n" body "END\n"
  }
  printf "%s", text > file
  close(file)
  print file
  next
}
inside && wanted { text = text $0 "\n" }
