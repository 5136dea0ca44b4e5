# Writes a text file as a C string: cmake -DINPUT=a.sql -DOUTPUT=a_sql.h -P embed.cmake
get_filename_component(name ${OUTPUT} NAME_WE)
file(READ ${INPUT} text)
string(REPLACE "\\" "\\\\" text "${text}")
string(REPLACE "\"" "\\\"" text "${text}")
string(REPLACE "\n" "\\n\"\n    \"" text "${text}")
file(WRITE ${OUTPUT} "/* made from ${INPUT} by cmake/embed.cmake */\nstatic const char ${name}[] =\n    \"${text}\";\n")
