// Before anything is painted: the theme that was chosen here, if one was.
try {
  const theme = localStorage.getItem("downhill-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // There is no storage; the system's theme it is.
}
