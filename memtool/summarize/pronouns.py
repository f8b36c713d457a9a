"""Closed classes of words that tell who speaks, of whom, and when. Data only: every word of its class, lower case."""

from __future__ import annotations

_FIRST_PERSON = """
i me my mine myself we us our ours ourselves ich mich mir mein meine meinem meinen meiner wir uns unser unsere
je j me moi mon ma mes nous notre nos yo mi mis nosotros nuestro nuestra
"""
FIRST_PERSON = frozenset(_FIRST_PERSON.split())
_SECOND_PERSON = """
you u your yours yourself yourselves du dich dir dein deine deinem deinen deiner ihr euch euer eure tu te toi ton ta
tes vous votre vos ti tus usted ustedes vosotros
"""
SECOND_PERSON = frozenset(_SECOND_PERSON.split())
_TIMES = """
yesterday today tonight tomorrow last next ago since week weeks weekend weekends month months year years day days
recently soon monday tuesday wednesday thursday friday saturday sunday january february march april may june july
august september october november december
gestern heute morgen abend seit woche wochen wochenende monat monate monaten jahr jahre jahren tag tage tagen neulich
bald letzte letzten letztes nächste nächsten nächstes montag dienstag mittwoch donnerstag freitag samstag sonntag
januar februar märz mai juni juli oktober dezember
hier aujourd'hui demain depuis semaine semaines mois an ans année jour jours bientôt dernier dernière prochain
prochaine lundi mardi mercredi jeudi vendredi samedi dimanche janvier février mars avril juin juillet août septembre
octobre novembre décembre
ayer hoy mañana desde semana semanas mes meses año años día días pronto pasado pasada próximo próxima lunes martes
miércoles jueves viernes sábado domingo enero febrero marzo abril mayo junio julio agosto septiembre octubre
noviembre diciembre
"""
TIMES = frozenset(_TIMES.split())
"""Names of days and months, and what counts from now."""
